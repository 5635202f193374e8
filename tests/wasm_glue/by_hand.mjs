// A module made by hand, whose steps a test scripts: each asks of escapement.mjs what Math.random gives (abi.h:
// esc_step). Its task x begins a fetch, y one with a body of its own, which it sends. It reads the clock before
// anything else, as static objects of C++ may.

const text = (name) => [name.length, ...new TextEncoder().encode(name)];
const number = (n) => (n < 128 ? [n] : [(n & 127) | 128, n >> 7]);
const section = (id, items) => {
  const body = [...number(items.length), ...items.flat()];
  return [id, ...number(body.length), ...body];
};
const i32 = 0x7f;
const f64 = 0x7c;
const type = (takes, gives) => [0x60, takes.length, ...takes, gives.length, ...gives];
const constant = (n) => [0x41, n];
const call = (n, ...values) => [...values.flatMap(constant), 0x10, n];
const minusOne = 0x7f;
const drop = 0x1a;

const types = [[[], [f64]], [Array(5).fill(i32), []], [[], []], [[], [i32]], [[i32], [i32]], [[i32, f64], [f64]],
  [[i32], []], [[i32, f64, i32, i32], [f64]], [[i32, f64, i32, i32, f64], [f64]], [[f64], [i32]],
  [Array(3).fill(i32), []]].map(([takes, gives]) => type(takes, gives));
const imports = [["random", 0], ["fetch", 1], ["now", 0], ["send", 10], ["send_end", 10]]
  .map(([name, kind]) => [...text("escapement"), ...text(name), 0, kind]);
const functions = [
  ["esc_transfer", 3, constant(16)],
  ["esc_alloc", 4, constant(16)],
  ["esc_open", 9, constant(8)],
  ["esc_step", 5, call(0)],
  ["esc_close", 6, []],
  ["esc_cancel", 4, constant(0)],
  ["esc_task_x", 7, [...call(1, 1, 0, 0, 0, 0), ...call(0)]],
  ["esc_task_y", 7, [...call(1, 1, 0, 0, 0, minusOne), ...call(3, 1, 16, 1), ...call(4, 1, 0, 0), ...call(0)]],
  ["esc_reply", 8, call(0)],
  ["_initialize", 2, [...call(2), drop]],
];

export const moduleByHand = () =>
  new WebAssembly.Module(new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, types),
    ...section(2, imports),
    ...section(3, functions.map(([, kind]) => [kind])),
    ...section(5, [[0, 1]]),
    ...section(7, [[...text("memory"), 2, 0], ...functions.map(([name], i) => [...text(name), 0, imports.length + i])]),
    ...section(10, functions.map(([, , code]) => [code.length + 2, 0, ...code, 0x0b])),
  ]));

// Runs `body` while the steps of such modules give these, one after the other.
export async function withSteps(steps, body) {
  const { random } = Math;
  Math.random = () => steps.shift() ?? -2;
  try {
    return await body();
  } finally {
    Math.random = random;
  }
}
