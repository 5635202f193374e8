import type { Binding } from "./escapement.mjs";

// D1 databases, for modules that use HostSqlDatabase.
export const d1: Binding;
