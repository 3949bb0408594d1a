
"use strict";
// The turn: its four steps, what one event does within them, and a bar for each of the last 200.
// Whatever the server says is put into the page as text, never as markup.

const find = (id) => document.getElementById(id);
const make = (tag, properties, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
// Nothing is written twice: a text that stays the same costs no layout, and is not read out again.
const write = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};
const button = (text, act, properties) => {
  const element = make("button", { type: "button", textContent: text, ...properties });
  element.addEventListener("click", act);
  return element;
};
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const clamp = (value, least, most) => Math.min(most, Math.max(least, value));

// Numbers as people read them.

const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
const span = (seconds) => {
  if (seconds <= 0) return "0";
  if (seconds < 0.000995) return `${Math.max(1, Math.round(seconds * 1e6))} µs`;
  if (seconds < 0.00995) return `${(seconds * 1e3).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1e3)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(2)} s`;
  if (seconds < 99.95) return `${seconds.toFixed(1)} s`;
  return seconds < 6000 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 3600)} h`;
};
const octets = (size) => {
  if (size < 1000) return `${size} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = size / 1000;
  while (value >= 999.5 && units.length > 1) {
    value /= 1000;
    units.shift();
  }
  return `${value.toFixed(value < 9.95 ? 1 : 0)} ${units[0]}`;
};
