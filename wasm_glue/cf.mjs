// The JavaScript half of host_fetch_cf.h.

export const cf = {
  module: "escapement_cf",
  imports: {
    supported() {
      return globalThis.Cloudflare || this.options.fetch ? 1 : 0;
    },
    fetch(at, length, id, ...message) {
      const { fetch = globalThis.fetch } = this.options;
      let by;
      try {
        const properties = JSON.parse(this.text(at, length));
        by = (url, init) => fetch(url, { ...init, cf: properties });
      } catch (error) {
        by = () => Promise.reject(Object.assign(error, { why: 2 }));
      }
      this.fetch(id, ...message, by);
    },
  },
};
