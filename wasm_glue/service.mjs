// The JavaScript half of host_service.h.

import { bindingOf } from "./packed.mjs";

export const service = {
  module: "escapement_service",
  imports: {
    fetch(nameAt, nameLength, id, ...message) {
      const name = this.text(nameAt, nameLength);
      let fetch;
      try {
        const binding = bindingOf(this, name, "fetch", "service");
        fetch = (url, init) => binding.fetch(url, init);
      } catch (error) {
        fetch = () => Promise.reject(Object.assign(error, { why: 2 }));
      }
      this.fetch(id, ...message, fetch);
    },
  },
};
