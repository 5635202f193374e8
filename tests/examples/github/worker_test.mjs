// The client of GitHub in a JavaScript host, against recorded responses with faults:
//   node worker_test.mjs (node | workerd) GITHUB_WORKER.wasm GITHUB_FAKE.wasm
// With GITHUB_TOKEN set also against GitHub itself.

import { createSign, generateKeyPairSync, verify } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { load, worker } from "../../../wasm_glue/escapement.mjs";
import { equal, finish, test, that } from "../../wasm_glue/check.mjs";
import { root, startWorkerd } from "../../wasm_glue/hosts.mjs";
import { rs256 } from "./rs256.mjs";

const [, , host, file, fakeFile] = process.argv;
const organisation = "octokit-fixture-org";
const tour = `repository ${organisation}/hello-world, branch master
renamed to ${organisation}/rename-repository-newname
issues 13
README # hello-world
files 1
found 2
release v1.0.0 with 1 asset
no-such: not_found
label: Validation Failed, color invalid
issue #1
labels 3
commit of 40 digits
`;

// The fake GitHub is a Worker as well; Node's server stands in front of it.
async function startFake(tokens) {
  const handlers = worker(await load(fs.readFileSync(fakeFile)), { onError: () => {} });
  const server = http.createServer(async (request, response) => {
    tokens.push(request.headers.authorization ?? "");
    const body = [];
    for await (const piece of request) body.push(piece);
    const url = `http://${request.headers.host}${request.url}`;
    const init = { method: request.method, headers: request.headers, body: body.length > 0 ? Buffer.concat(body) : undefined };
    try {
      const answer = await handlers.fetch(new Request(url, init));
      if (answer.status === 500) return response.destroy(); // the fake broke off before the head
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      if (answer.body) for await (const piece of answer.body) response.write(piece);
      response.end();
    } catch {
      response.destroy();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => server.closeAllConnections() || server.close() };
}

// The Worker in `host`, with variables. Its main module is worker.mjs, with what it imports beside it.
async function start(variables) {
  if (host === "node") {
    const handlers = worker(await load(fs.readFileSync(file)), { bindings: [rs256], onError: (error) => console.log("#", error.message) });
    return { ask: (target) => handlers.fetch(new Request("http://worker.test" + target), variables), stop: () => {} };
  }
  const read = (name) => fs.readFileSync(path.join(root, name), "utf8").replace(/"[./]*wasm_glue\//g, '"./');
  const main = read("tests/examples/github/worker.mjs").replace("export default", "const handlers =");
  const workerd = await startWorkerd({
    "worker.mjs": `${main}
const variables = ${JSON.stringify(variables)};
export default { fetch: (request, env, ctx) => handlers.fetch(request, { ...env, ...variables }, ctx) };
`,
    "escapement.mjs": read("wasm_glue/escapement.mjs"),
    "host_operation.mjs": read("wasm_glue/host_operation.mjs"),
    "rs256.mjs": read("tests/examples/github/rs256.mjs"),
    "github_worker.wasm": fs.readFileSync(file),
  });
  return { ask: (target) => fetch(workerd.url + target), stop: () => workerd.stop(), log: workerd.log };
}

const log = async (fake, run) => (await fetch(`${fake.url}/${run}/log`)).text();
const number = (text, what) => Number(new RegExp(`(\\d+) ${what}`).exec(text)[1]);
const keys = ["pkcs1", "pkcs8"].map((type) => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { pem: privateKey.export({ type, format: "pem" }), publicKey };
});

for (const [index, key] of keys.entries()) {
  const run = `run-${index}`;
  const tokens = [];
  const fake = await startFake(tokens);
  const variables = { GITHUB_API: `${fake.url}/${run}`, APP_ID: "app", APP_KEY: key.pem, APP_INSTALLATION: "7" };
  const running = await start(variables);

  if (index === 1) {
    await test(`${host}: the summary of a repository, with a key in PKCS #8`, async () => {
      const response = await running.ask(`/${organisation}/hello-world`);
      const text = await response.text();
      that(text.startsWith(`${organisation}/hello-world: `) && text.includes("README.md has 13 bytes"), text);
    });
  } else await test(`${host}: the tour, as an App, with faults`, async () => {
    const response = await running.ask("/tour");
    equal(await response.text(), tour);
    equal(response.status, 200);
    const record = await log(fake, run);
    equal(number(record, "early"), 0, `requests before their time (${record})`);
    equal(number(record, "minted"), 2, `tokens (${record})`);
  });

  await test(`${host}: the App's token is signed by its key`, async () => {
    const jwt = tokens.find((text) => /^Bearer [\w-]+\.[\w-]+\.[\w-]+$/.test(text)).slice(7);
    const [head, claims, signature] = jwt.split(".");
    const signed = Buffer.from(`${head}.${claims}`);
    that(verify("sha256", signed, key.publicKey, Buffer.from(signature, "base64url")), "it does not verify");
    equal(createSign("sha256").update(signed).sign(key.pem, "base64url"), signature, "the signature");
  });

  if (index === 0) {
    await test(`${host}: the next request finds the token and the ETags of the last one: a 304 costs no quota`, async () => {
      const before = await log(fake, run);
      const response = await running.ask("/tour");
      equal(await response.text(), tour);
      const after = await log(fake, run);
      equal(number(after, "minted"), number(before, "minted"), "tokens");
      equal(number(after, "early"), 0, "early");
      const spared = number(after, "of 304") - number(before, "of 304");
      that(spared >= 10, `${spared} responses of 304`);
      equal(Number(response.headers.get("x-from-cache")), number(after, "of 304"), "from the cache");
    });
  }
  running.stop();
  fake.stop();
}

await test(`${host}: a key that is none, and one that is damaged, is a failure of the request`, async () => {
  const fake = await startFake([]);
  for (const pem of ["nonsense", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"]) {
    const running = await start({ GITHUB_API: `${fake.url}/run-bad`, APP_ID: "app", APP_KEY: pem, APP_INSTALLATION: "7" });
    equal((await running.ask("/tour")).status, 500);
    running.stop();
  }
  fake.stop();
});

await test(`${host}: a response that is nested deeper than the stack is an error, and no trap`, async () => {
  const deep = `${'{"a":'.repeat(30_000)}1${"}".repeat(30_000)}`;
  for (const body of [deep, "[".repeat(100_000)]) {
    const server = http.createServer((request, response) => response.end(body));
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const running = await start({ GITHUB_API: `http://127.0.0.1:${server.address().port}` });
    equal((await running.ask("/o/r")).status, 500); // a trap is a 503
    running.stop();
    server.closeAllConnections();
    server.close();
  }
});

if (process.env.GITHUB_TOKEN) {
  const running = await start({ GITHUB_TOKEN: process.env.GITHUB_TOKEN });
  const reachable = await fetch("https://api.github.com/zen", { signal: AbortSignal.timeout(10_000) }).then(() => true, () => false);
  if (reachable) {
    await test(`${host}: live`, async () => {
      const response = await running.ask("/octocat/Hello-World");
      that((await response.text()).startsWith("octocat/Hello-World"), "its summary");
    });
  } else console.log(`skipped: ${host}: live: no network`);
  running.stop();
} else console.log(`skipped: ${host}: live: GITHUB_TOKEN is not set`);

finish();
