// The engine in a Worker, whose timers go on at full speed when the page is hidden.
import { engine } from "./engine.mjs";

const calls = engine((message) => postMessage(message));
onmessage = ({ data: [name, input] }) => calls[name](input);
postMessage({ ready: true });
