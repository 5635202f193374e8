// The page: shows what the engine reports.

const $ = (id) => document.getElementById(id);
const limits = [0, 0.1, 0.25, 0.5, 1, 2, 4, 8, Infinity]; // the histogram's bins end before these
const names = ["early", ...limits.slice(1).map((limit, i) => (limit === Infinity ? `${limits[i]} or more` : `${limits[i]} to ${limit}`))];

// --- The engine: in a Worker, or here.

const hear = (message) => {
  if (message.late) return note(message.late);
  if (message.number === asked) message.failed ? fail(message.failed) : show(message.events);
};
async function startEngine() {
  try {
    const worker = new Worker(new URL("./engine_worker.mjs", import.meta.url), { type: "module" });
    await new Promise((resolve, reject) => Object.assign(worker, { onmessage: resolve, onerror: reject }));
    worker.onmessage = ({ data }) => hear(data);
    $("where").textContent = "It runs in a Worker of the page.";
    return (...call) => worker.postMessage(call);
  } catch {
    const { engine } = await import("./engine.mjs");
    const calls = engine(hear);
    $("where").textContent = "It runs on the main thread, because this browser has no Workers for modules.";
    return (name, input) => calls[name](input);
  }
}

// --- Lateness.

const samples = { ours: [], theirs: [] };
let drawn = 0;

const rows = names.map((name) => {
  const row = $("histogram").insertRow();
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  row.append(head);
  return ["ours", "theirs"].map((who) => {
    const cell = row.insertCell();
    cell.innerHTML = `<div><div class="${who}" style="width:0"></div><span>0</span></div>`;
    return cell.firstChild;
  });
});
function note(late) {
  for (const who of ["ours", "theirs"]) samples[who].push(late[who]);
  const now = performance.now();
  if (now > drawn + 200) requestAnimationFrame(draw), (drawn = now);
}
const share = (all, part) => [...all].sort((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * part))] ?? 0;
function draw() {
  ["ours", "theirs"].forEach((who, column) => {
    const counts = limits.map(() => 0);
    for (const late of samples[who]) counts[limits.findIndex((limit) => late < limit)]++;
    counts.forEach((count, i) => {
      const [bar, text] = rows[i][column].children;
      bar.style.width = `${(80 * count) / Math.max(1, samples[who].length)}%`;
      text.textContent = count;
    });
  });
}
function summarise() {
  const said = Object.entries({ escapement: samples.ours, setTimeout: samples.theirs }).map(([name, all]) =>
    `${name}: median ${share(all, 0.5).toFixed(2)} ms, 99 % within ${share(all, 0.99).toFixed(2)} ms, ${all.filter((late) => late < 0).length} early`);
  $("summary").textContent = samples.ours.length ? `${samples.ours.length} sleeps each. ${said.join("; ")}.` : "Nothing measured yet.";
}

// --- The retry policy.

let asked = 0;
const bar = ({ from, until }, whole, kind) => {
  const track = document.createElement("div");
  const part = track.appendChild(document.createElement("div"));
  track.className = "track";
  track.setAttribute("aria-hidden", "true");
  part.className = kind;
  part.style.left = `${(100 * from) / whole}%`;
  part.style.width = `${(100 * (until - from)) / whole}%`;
  return track;
};
function show(events) {
  const call = events.find(({ kind }) => kind === "call");
  const parts = events.filter((event) => event !== call).sort((a, b) => a.from - b.from || a.until - b.until);
  const attempts = parts.filter(({ kind }) => kind === "attempt").length;
  const whole = Math.max(call.until, 1);
  let number = 0;
  $("outcome").textContent = `After ${call.until} ms and ${attempts} ${attempts === 1 ? "attempt" : "attempts"}: ${call.what}.`;
  $("timeline").replaceChildren(...parts.map((event) => {
    const line = document.createElement("li");
    const name = event.kind === "wait" ? `Backoff, ${event.until - event.from} ms` : `Attempt ${++number}: ${event.what}`;
    line.append(`${event.from} to ${event.until} ms. ${name}`);
    const kind = event.kind === "wait" ? "wait" : event.what === "status 200" ? "good" : "bad";
    line.append(bar({ from: event.from, until: Math.min(event.until, whole) }, whole, kind));
    return line;
  }));
}
function fail(text) {
  $("outcome").textContent = text;
  $("timeline").replaceChildren();
}
function simulate() {
  const form = $("fields");
  ++asked; // an outcome that is still on its way is not of these fields
  if (!form.checkValidity()) return fail("A field is outside its range.");
  tell("simulate", { number: asked, fields: new URLSearchParams(new FormData(form)).toString() });
}

// --- Controls.

const tell = await startEngine();
$("measure").onclick = ({ target }) => {
  const measuring = target.textContent === "Measure";
  target.textContent = measuring ? "Stop" : "Measure";
  $("length").disabled = measuring;
  if (measuring) samples.ours = [], samples.theirs = [];
  $("summary").textContent = measuring ? "Measuring." : "";
  tell(measuring ? "measure" : "stop", { ms: Number($("length").value) });
  if (!measuring) draw(), summarise();
};
$("fields").onsubmit = (event) => event.preventDefault();
$("fields").oninput = simulate;
$("next").onclick = () => {
  $("fields").elements.seed.valueAsNumber = ((Number($("fields").elements.seed.value) || 0) + 1) % 1000000;
  simulate();
};
simulate();
