import { afterEach, expect, test, vi } from "vitest";
import { readConfig } from "./config";

afterEach(() => {
  delete window.ENV;
  vi.unstubAllEnvs();
});

test("takes the values of env-config.js", () => {
  window.ENV = { API_BASE_URL: "https://dev.example/", ENVIRONMENT: "development" };
  expect(readConfig()).toEqual({ apiBaseUrl: "https://dev.example", environment: "development" });
});

test("falls back to the address given at build time", () => {
  vi.stubEnv("VITE_API_BASE_URL", "https://built.example");
  expect(readConfig().apiBaseUrl).toBe("https://built.example");
});

test("uses the page's own origin when nothing is set", () => {
  expect(readConfig()).toEqual({ apiBaseUrl: "", environment: "unknown" });
});
