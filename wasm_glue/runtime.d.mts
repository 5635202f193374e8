// Types of runtime.mjs, which is escapement.mjs for Workers alone.
export * from "./escapement.mjs";
