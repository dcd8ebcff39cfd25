// Holds recorded answers against GitHub's OpenAPI description (npm: @octokit/openapi).
//
// Standard input: a JSON list of {operation: "GET /repos/{owner}/{repo}", status, body} or {webhook: "push", body}.
// Prints one line for each answer; ends with 1 when an answer is not what GitHub describes.
// A Rust test (end2end/lab/tests/github) records the answers and runs this; `npm run openapi < answers.json` does it by hand.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import Ajv from "ajv";
import addFormats from "ajv-formats";

const description = createRequire(import.meta.url).resolve("@octokit/openapi/generated/api.github.com.json");
const github = JSON.parse(readFileSync(description, "utf8"));

/** OpenAPI 3.0 says `nullable: true` where JSON Schema says `type: [..., "null"]`. */
function toJsonSchema(node) {
  if (Array.isArray(node)) return node.map(toJsonSchema);
  if (node === null || typeof node !== "object") return node;
  const { nullable, ...rest } = Object.fromEntries(
    Object.entries(node).map(([key, value]) => [key, key.startsWith("example") ? undefined : toJsonSchema(value)]),
  );
  return nullable === true ? { anyOf: [rest, { type: "null" }] } : { ...rest, ...(nullable === undefined ? {} : { nullable }) };
}

const ajv = new Ajv({ strict: false, validateSchema: false, allErrors: true, logger: false });
addFormats(ajv);
ajv.addSchema({ $id: "github", ...toJsonSchema({ paths: github.paths, components: github.components, webhooks: github["x-webhooks"] }) });

const pointer = (...parts) => "github#/" + parts.map((part) => encodeURIComponent(String(part).replace(/~/g, "~0").replace(/\//g, "~1"))).join("/");

/** Where the description has the schema of an answer; undefined when GitHub describes no such answer. */
function schemaOf({ operation, status, webhook }) {
  const json = ["content", "application/json", "schema"];
  if (webhook) return pointer("webhooks", webhook, "post", "requestBody", ...json);
  const [method, path] = operation.split(" ");
  const response = github.paths[path]?.[method.toLowerCase()]?.responses?.[status];
  if (!response) return undefined;
  return response.$ref
    ? pointer("components", "responses", response.$ref.split("/").pop(), ...json)
    : pointer("paths", path, method.toLowerCase(), "responses", status, ...json);
}

let wrong = 0;
for (const answer of JSON.parse(readFileSync(0, "utf8"))) {
  const name = answer.webhook ? `webhook ${answer.webhook}` : `${answer.operation} ${answer.status}`;
  const at = schemaOf(answer);
  const validate = at && ajv.getSchema(at);
  if (!validate) {
    wrong += 1;
    console.log(`NOT DESCRIBED  ${name}`);
  } else if (validate(answer.body)) {
    console.log(`as described   ${name}`);
  } else {
    wrong += 1;
    console.log(`WRONG          ${name}`);
    for (const { instancePath, message, params } of validate.errors.slice(0, 12)) {
      console.log(`               ${instancePath || "/"} ${message} ${JSON.stringify(params)}`);
    }
  }
}
process.exitCode = wrong > 0 ? 1 : 0;
