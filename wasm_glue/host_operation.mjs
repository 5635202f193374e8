// The JavaScript half of host_operation.h, for bindings. A binding is an object {module, imports}: the functions that
// its C++ half imports from the wasm module name `module`, which begins with "escapement_". Each is called inside the
// module, so it calls none of its exports, and copies what it wants to keep; one that throws fails its context. `this`
// is the context of the call:
//
//   env, ctx             the Worker's, or as given to `run`
//   options              as given to `worker` or `run`
//   text(at, length)     text in the module's memory, which is UTF-8
//   bytes(at, length)    bytes there, valid until the import returns
//   ends                 a list of functions to call at its end, however it comes; undefined: none

const encoder = new TextEncoder();

// Carries out operation `id` of `context`: calls `begin` in a later turn, and reports what its promise gives: a string
// or bytes, with status 0; nothing, for no bytes; {status, data}, where the binding has a number to say. With a `body`,
// a ReadableStream or null, the operation goes on as a body (detail/host_body.h); with its `length`, and what it is the
// body `of`, a short one comes at once. A rejection, and what `begin` throws, is a failure, of the kind that its `code`
// names if that is one of ours. `dropped` is called if the C++ half drops the operation before.
export function operate(context, id, begin, dropped = () => {}) {
  const source = context.hold(id);
  source.abort = {
    abort() {
      dropped();
      source.controller?.error(new Error("reset: it was given up"));
    },
  };
  const done = (result) => {
    const own = typeof result?.status === "number";
    const data = (own ? result.data : result) ?? "";
    const bytes = typeof data === "string" ? encoder.encode(data)
      : ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
    if (result?.body) {
      source.body = result.body;
      source.length = result.length;
      source.response = result.of;
      source.abort = { abort() {} };
      if (context.sources?.get(id) !== source) source.drop();
    } else source.done = true;
    context.reply(id, source, own ? result.status : 0, bytes.length, bytes);
  };
  const failed = (error) => {
    source.done = true;
    context.fail(id, source, 0, (error?.code ? error.code + ": " : "") + String(error?.message ?? error));
  };
  Promise.resolve().then(begin).then(done).catch(failed);
}
