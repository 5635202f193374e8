// The smallest test frame: a line for each case, and the exit code.

let failed = 0;

export async function test(name, body) {
  try {
    await body();
    console.log(`ok ${name}`);
  } catch (error) {
    ++failed;
    console.log(`not ok ${name}: ${error?.stack ?? error}`);
  }
}

export function equal(is, expected, what = "") {
  if (is !== expected) throw new Error(`${what} is ${JSON.stringify(is)}, expected ${JSON.stringify(expected)}`);
}

export function that(condition, what) {
  if (!condition) throw new Error(what);
}

export function finish() {
  process.exit(failed ? 1 : 0);
}
