import { worker } from "./escapement.mjs";
import module from "./@NAME@.wasm";
export default worker(module);
