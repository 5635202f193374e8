import { worker } from "./escapement.mjs";
import { rs256 } from "./rs256.mjs";
import module from "./github_worker.wasm";
export default worker(module, { bindings: [rs256] });
