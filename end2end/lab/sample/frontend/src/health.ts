export interface Health {
  status: string;
  commit: string;
  database: string;
}

const TIMEOUT_MS = 8_000;

/** Asks the backend how it is; throws an error whose message can be shown. */
export async function fetchHealth(apiBaseUrl: string): Promise<Health> {
  let response: Response;
  try {
    response = await fetch(`${apiBaseUrl}/api/v1/health/`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    throw new Error("The backend cannot be reached.", { cause: error });
  }
  if (!response.ok) throw new Error(`The backend answered HTTP ${response.status}.`);
  const body: unknown = await response.json().catch(() => null);
  if (!isHealth(body)) throw new Error("Something answered, but not this app's backend.");
  return body;
}

function isHealth(body: unknown): body is Health {
  if (typeof body !== "object" || body === null) return false;
  const { status, commit, database } = body as Record<string, unknown>;
  return [status, commit, database].every((value) => typeof value === "string");
}
