// The JavaScript half of escapement for every host: Cloudflare Workers, browsers, Node, Deno and Bun. A Worker needs
// runtime.mjs alone, which is smaller; package.json gives it that.

import { host } from "./host_fetch.mjs";
import { others } from "./hosts.mjs";

const { odd, whyOf } = others; // also for what a Worker gives as its `fetch`
Object.assign(host, globalThis.Cloudflare ? { odd, whyOf } : others);

export { load, run, worker } from "./runtime.mjs";
