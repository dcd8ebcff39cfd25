import { useEffect, useState } from "react";
import type { Config } from "./config";
import { fetchHealth, type Health } from "./health";

const REFRESH_MS = 15_000;

type State =
  | { kind: "asking" }
  | { kind: "answered"; health: Health; at: Date }
  | { kind: "failed"; reason: string; at: Date };

export function App({ config }: { config: Config }) {
  const state = useHealth(config.apiBaseUrl);
  const health = state.kind === "answered" ? state.health : null;

  return (
    <main>
      <h1>ProjectMeats</h1>
      <p className="environment">{config.environment}</p>
      <dl>
        <dt>API</dt>
        <dd>{config.apiBaseUrl || `${window.location.origin} (this server)`}</dd>
        <dt>Backend</dt>
        <dd role="status" className={state.kind}>{describe(state)}</dd>
        <dt>Database</dt>
        <dd>{health?.database ?? "not known"}</dd>
        <dt>Backend commit</dt>
        <dd><code>{health?.commit ?? "not known"}</code></dd>
      </dl>
      {state.kind !== "asking" && (
        <p className="checked">Checked at {state.at.toLocaleTimeString()}</p>
      )}
    </main>
  );
}

function useHealth(apiBaseUrl: string): State {
  const [state, setState] = useState<State>({ kind: "asking" });

  useEffect(() => {
    let current = true;
    const ask = async () => {
      let next: State;
      try {
        next = { kind: "answered", health: await fetchHealth(apiBaseUrl), at: new Date() };
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        next = { kind: "failed", reason, at: new Date() };
      }
      if (current) setState(next);
    };
    void ask();
    const timer = setInterval(ask, REFRESH_MS);
    return () => {
      current = false;
      clearInterval(timer);
    };
  }, [apiBaseUrl]);

  return state;
}

function describe(state: State): string {
  switch (state.kind) {
    case "asking":
      return "asking…";
    case "answered":
      return state.health.status;
    case "failed":
      return state.reason;
  }
}
