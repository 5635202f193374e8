import type { Binding } from "./escapement.mjs";

// Variables of JSON and `request.cf`, for modules that use json_env or host_cf.
export const json: Binding;
