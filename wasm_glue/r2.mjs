// The JavaScript half of host_object_store.h.

import { operate } from "./host_operation.mjs";
import { bindingOf, pack, textOf, unpack } from "./packed.mjs";

const infoOf = ({ key, etag, size, uploaded, httpMetadata, customMetadata }) => {
  const metadata = Object.entries(customMetadata ?? {});
  return [key, etag, size, Number(uploaded), httpMetadata?.contentType ?? "", metadata.length, ...metadata.flat()];
};
const infoOr404 = (object) => (object ? pack(infoOf(object)) : { status: 404 });

// The host's errors end in a number: "get: The requested range is not satisfiable (10039)".
const explained = async (call) => {
  try {
    return await call();
  } catch (error) {
    const number = error?.v4code ?? Number(/\((\d{5})\)/.exec(error?.message)?.[1]);
    if (number === 10039) return { status: 416 };
    const code = { 10001: "unavailable", 10043: "unavailable", 10058: "unavailable", 10020: "invalid_argument", 100100: "limit_exceeded" }[number];
    throw code ? Object.assign(new Error(error.message), { code }) : error;
  }
};

const imported = (call) =>
  function (id, at, length, bodyAt, bodyLength) {
    const [name, ...fields] = unpack(this.bytes(at, length));
    let body = "";
    operate(this, id, () => explained(() => call(bindingOf(this, textOf(name), "head", "R2 bucket"), fields, body)));
    if (bodyLength) body = this.content(id, bodyAt, bodyLength);
  };

export const r2 = {
  module: "escapement_r2",
  imports: {
    get: imported(async (bucket, [key, offset, length]) => {
      const range = {};
      if (textOf(offset) !== "0") range.offset = Number(textOf(offset));
      if (length.length) range.length = Number(textOf(length));
      const object = await bucket.get(textOf(key), Object.keys(range).length ? { range } : {});
      if (!object) return { status: 404 };
      const whole = Object.keys(range).length ? undefined : object.size;
      return { status: 0, data: pack(infoOf(object)), body: object.body, of: object, length: whole };
    }),
    head: imported(async (bucket, [key]) => infoOr404(await bucket.head(textOf(key)))),
    put: imported(async (bucket, [key, contentType, etag, absent, size, ...metadata], content) => {
      const options = { customMetadata: {} };
      for (let i = 0; i < metadata.length; i += 2) options.customMetadata[textOf(metadata[i])] = textOf(metadata[i + 1]);
      if (contentType.length) options.httpMetadata = { contentType: textOf(contentType) };
      if (etag.length) options.onlyIf = { etagMatches: textOf(etag) };
      if (absent.length) options.onlyIf = { ...options.onlyIf, etagDoesNotMatch: "*" };
      const stated = size.length && content ? content.pipeThrough(new FixedLengthStream(Number(textOf(size)))) : content;
      return infoOr404(await bucket.put(textOf(key), stated, options));
    }),
    remove: imported(async (bucket, [key]) => void (await bucket.delete(textOf(key)))),
    list: imported(async (bucket, [prefix, limit, cursor]) => {
      const options = { prefix: textOf(prefix), limit: Number(textOf(limit)), include: ["httpMetadata", "customMetadata"] };
      if (cursor.length) options.cursor = textOf(cursor);
      const page = await bucket.list(options);
      return pack([page.truncated ? page.cursor : "", ...page.objects.flatMap(infoOf)]);
    }),
  },
};
