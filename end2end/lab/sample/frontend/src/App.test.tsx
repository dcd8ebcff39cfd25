import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { App } from "./App";

const config = { apiBaseUrl: "https://api.example", environment: "development" };

function answer(body: unknown, status = 200) {
  const fetch = vi.fn(async () => new Response(JSON.stringify(body), { status }));
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

test("shows the environment, the API and the state of the backend", async () => {
  const fetch = answer({ status: "ok", commit: "ae2bac0f", database: "unavailable" });
  render(<App config={config} />);
  expect(screen.getByText("development")).toBeTruthy();
  expect(screen.getByText("https://api.example")).toBeTruthy();
  expect(await screen.findByText("ae2bac0f")).toBeTruthy();
  expect(screen.getByRole("status").textContent).toBe("ok");
  expect(screen.getByText("unavailable")).toBeTruthy();
  expect(fetch).toHaveBeenCalledWith("https://api.example/api/v1/health/", expect.anything());
});

test("says so when the backend cannot be reached", async () => {
  vi.stubGlobal("fetch", vi.fn().mockRejectedValue(new TypeError("Failed to fetch")));
  render(<App config={config} />);
  expect(await screen.findByText("The backend cannot be reached.")).toBeTruthy();
  expect(screen.getAllByText("not known")).toHaveLength(2);
});

test("names the status of an error answer", async () => {
  answer({}, 502);
  render(<App config={config} />);
  expect(await screen.findByText("The backend answered HTTP 502.")).toBeTruthy();
});

test("does not take any JSON for a healthy backend", async () => {
  answer({ hello: "world" });
  render(<App config={config} />);
  expect(await screen.findByText(/not this app's backend/)).toBeTruthy();
});
