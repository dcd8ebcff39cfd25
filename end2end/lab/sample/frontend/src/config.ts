declare global {
  interface Window {
    ENV?: { API_BASE_URL?: string; ENVIRONMENT?: string };
  }
}

export interface Config {
  /** Without a trailing slash; empty means the origin of the page. */
  apiBaseUrl: string;
  environment: string;
}

/** The server's env-config.js comes first, then what was set when the image was built. */
export function readConfig(): Config {
  const apiBaseUrl = window.ENV?.API_BASE_URL || import.meta.env.VITE_API_BASE_URL || "";
  return {
    apiBaseUrl: apiBaseUrl.replace(/\/+$/, ""),
    environment: window.ENV?.ENVIRONMENT || "unknown",
  };
}
