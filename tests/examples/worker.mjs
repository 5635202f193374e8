import { worker } from "./escapement.mjs";
import module from "./worker.wasm";
export default worker(module);
