// Searches the site's index in the page. The index is a script, so that it also loads from the disk.
"use strict";
(() => {
  const root = document.documentElement.dataset.root || "";
  const input = document.getElementById("search");
  const list = document.getElementById("results");
  let loading = null;
  let chosen = -1;

  // Shows the reader's place in a long navigation.
  const side = document.querySelector(".side");
  const here = side.querySelector("[aria-current]");
  if (here && here.offsetTop > side.clientHeight - 60) side.scrollTop = here.offsetTop - side.clientHeight / 2;

  const load = () =>
    (loading ??= new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = root + "search-index.js";
      script.onload = () => resolve(window.searchIndex);
      script.onerror = () => resolve([]);
      document.head.append(script);
    }));

  // How well a row fits one word of the query; 0: not at all.
  function fit(word, title, text) {
    const name = title.split("::").pop();
    if (name === word) return 100;
    if (title === word) return 95;
    if (name.startsWith(word)) return 60 - Math.min(20, name.length - word.length);
    if (title.startsWith(word)) return 45;
    const at = title.indexOf(word);
    if (at > 0) return /\W|_/.test(title[at - 1]) ? 35 : 20;
    if (text.includes(" " + word)) return 8;
    return text.includes(word) ? 4 : 0;
  }

  function find(index, query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    for (const row of index) {
      const title = row[0].toLowerCase();
      const text = " " + row[3].toLowerCase();
      let sum = 0;
      for (const word of words) {
        const points = fit(word, title, text);
        if (points === 0) {
          sum = 0;
          break;
        }
        sum += points;
      }
      if (sum === 0) continue;
      if (row[2] === "page") sum += 6;
      if (row[2] === "example") sum -= 50;
      if (row[0].split("::").pop() === query) sum += 1; // written alike: `sleep` before `Sleep`
      if (!row[0].includes("::")) sum += 3;
      found.push([sum - row[0].length / 100, row]);
    }
    return found.sort((a, b) => b[0] - a[0]).slice(0, 12).map((pair) => pair[1]);
  }

  function element(name, kind, text) {
    const made = document.createElement(name);
    if (kind) made.className = kind;
    if (text) made.textContent = text;
    return made;
  }

  function show(rows) {
    list.replaceChildren(
      ...rows.map(([title, url, kind, text], number) => {
        const item = element("li");
        item.id = "result-" + number;
        item.setAttribute("role", "option");
        const link = element("a");
        link.href = root + url;
        link.tabIndex = -1;
        link.append(element("span", "where", kind), element("strong", "", title), element("span", "words", text));
        item.append(link);
        return item;
      }),
    );
    if (rows.length === 0) list.append(element("li", "none", "Nothing found"));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    choose(rows.length > 0 ? 0 : -1);
  }

  function choose(number) {
    const items = [...list.querySelectorAll("[role=option]")];
    chosen = items.length === 0 ? -1 : (number + items.length) % items.length;
    items.forEach((item, at) => item.setAttribute("aria-selected", String(at === chosen)));
    if (chosen >= 0) {
      items[chosen].scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", items[chosen].id);
    } else {
      input.removeAttribute("aria-activedescendant");
    }
  }

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  async function search() {
    const query = input.value.trim();
    if (query === "") return close();
    const index = await load();
    if (input.value.trim() === query) show(find(index, query));
  }

  input.addEventListener("focus", load);
  input.addEventListener("input", search);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter" && chosen >= 0 && !list.hidden) {
      list.querySelectorAll("[role=option] a")[chosen].click();
      close();
    } else if (event.key === "Escape") {
      close();
      input.blur();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && location.hash === "#menu") location.hash = "";
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(input|textarea|select)$/i.test(document.activeElement?.tagName ?? "")) return;
    event.preventDefault();
    input.focus();
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest(".search")) close();
  });
})();
