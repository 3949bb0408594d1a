
"use strict";
// Enhances the directory page: sorts, filters and uploads without reloading it. Without this script the
// page still lists, sorts and uploads. Names are inserted as text, never as markup.
(() => {
  const find = (id) => document.getElementById(id);
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const table = find("entries");
  const columnHeaders = [...document.querySelectorAll("th")];
  const filter = find("filter");
  document.documentElement.classList.add("js");

  // Sizes and times.

  const humanSize = (size) => {
    if (size < 1000) return `${size} B`;
    const units = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let value = size / 1000;
    while (value >= 999.5 && units.length > 1) {
      value /= 1000;
      units.shift();
    }
    return `${value.toFixed(value < 9.95 ? 1 : 0)} ${units[0]}`;
  };
  const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const pad2 = (number) => String(number).padStart(2, "0");
  const showTime = (element) => {
    const then = new Date(element.dateTime);
    const day = `${then.getFullYear()}-${pad2(then.getMonth() + 1)}-${pad2(then.getDate())}`;
    element.textContent = `${day} ${pad2(then.getHours())}:${pad2(then.getMinutes())}`;
    element.title = then.toString();
  };

  // Rows: reading, sorting and filtering.

  const parseRow = (row) => ({
    row,
    name: row.querySelector("bdi").textContent,
    directory: row.classList.contains("directory"),
    size: Number(row.querySelector("data")?.value ?? 0),
    time: row.querySelector("time").dateTime,
  });
  let entries = [...table.rows].map(parseRow);
  table.querySelectorAll("time").forEach(showTime);

  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "accent" });
  const byName = (a, b) => collator.compare(a.name, b.name) || (a.name < b.name ? -1 : 1);
  const orders = {
    name: byName,
    size: (a, b) => a.size - b.size || byName(a, b),
    time: (a, b) => (a.time === b.time ? byName(a, b) : a.time < b.time ? -1 : 1),
  };
  const sort = () => {
    const head = columnHeaders.find((each) => each.ariaSort) ?? columnHeaders[0];
    const order = orders[head.className];
    const sign = head.ariaSort === "descending" ? -1 : 1;
    entries.sort((a, b) => b.directory - a.directory || sign * order(a, b));
    const sorted = document.createDocumentFragment();
    for (const { row } of entries) sorted.append(row);
    table.append(sorted);
    find("order")?.remove();
  };
  const sortBy = (head) => {
    const descending = head.ariaSort ? head.ariaSort === "ascending" : head.dataset.first === "desc";
    for (const each of columnHeaders) {
      each.ariaSort = each === head ? (descending ? "descending" : "ascending") : null;
      const next = each === head ? (descending ? "asc" : "desc") : each.dataset.first;
      each.querySelector("a").search = `?sort=${each.className}&order=${next}`;
    }
    history.replaceState(null, "", `?sort=${head.className}&order=${descending ? "desc" : "asc"}`);
    sort();
  };
  for (const head of columnHeaders) {
    head.querySelector("a").addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      sortBy(head);
    });
  }

  const applyFilter = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, name } of entries) {
      row.hidden = !words.every((word) => name.toLowerCase().includes(word));
      shown += !row.hidden;
    }
    find("matches").textContent = words.length ? `${shown} of ${entries.length} shown` : "";
    find("nothing").hidden = shown > 0 || !entries.length;
    find("nothing").textContent = `No file or folder matches “${filter.value.trim()}”.`;
    document.querySelector("table").hidden = !entries.length;
  };
  const summarise = () => {
    const files = entries.filter((entry) => !entry.directory);
    const folders = entries.length - files.length;
    const parts = folders ? [counted(folders, "folder")] : [];
    const bytes = files.reduce((sum, entry) => sum + entry.size, 0);
    if (files.length) parts.push(counted(files.length, "file"), humanSize(bytes));
    find("summary").textContent = parts.join(" · ");
    find("empty").hidden = entries.length > 0;
  };
  filter.addEventListener("input", applyFilter);
  applyFilter();

  // Keyboard: "/" focuses the filter, Escape clears it, the arrow keys move between rows.

  const links = () => entries.filter(({ row }) => !row.hidden).map(({ row }) => row.querySelector("a"));
  const moveFocus = (by) => {
    const all = links();
    const next = all[all.indexOf(document.activeElement) + by];
    (next ?? (by < 0 ? filter : all.at(-1)))?.focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const inFilter = event.target === filter;
    if (event.key === "/" && !inFilter) {
      filter.focus();
      filter.select();
    } else if (event.key === "Escape" && (inFilter || filter.value)) {
      if (!filter.value) filter.blur();
      filter.value = "";
      applyFilter();
    } else if (event.key === "ArrowDown" && (inFilter || event.target.closest("tbody"))) moveFocus(1);
    else if (event.key === "ArrowUp" && event.target.closest("tbody")) moveFocus(-1);
    else return;
    event.preventDefault();
  });

  // Uploads: two at a time, the others are queued. If a file exists, the user chooses: replace it, keep both, skip.

  const form = find("upload");
  if (!form) return;
  const urlOf = (name) => form.action + encodeURIComponent(name); // the page may be at another URL: /
  const maxSending = 2;
  const waiting = [];
  let sending = 0;
  const say = (text) => { find("status").textContent = text; };

  // Returns "name (2).ext" for number 2, in at most 255 bytes, as the server does for the form (names.py).
  const numbered = (name, number) => {
    const extension = /^.+?(\.[^. ]{1,15})$/su.exec(name)?.[1] ?? "";
    const suffix = ` (${number})${extension}`;
    const stem = [...name.slice(0, name.length - extension.length)];
    while (new Blob([...stem, suffix]).size > 255) stem.pop();
    return stem.join("") + suffix;
  };

  const add = (name, size) => {
    const time = make("time", { dateTime: `${new Date().toISOString().slice(0, 19)}Z` });
    showTime(time);
    const link = make("a", { href: urlOf(name) }, make("bdi", { textContent: name }));
    const data = make("data", { value: size, title: counted(size, "byte"), textContent: humanSize(size) });
    const cells = [link, data, time].map((child) => make("td", { role: "cell" }, child));
    const row = make("tr", { role: "row", className: "file new" }, ...cells);
    const old = entries.find((entry) => entry.name === name && !entry.directory);
    old?.row.remove();
    entries = [...entries.filter((entry) => entry !== old), parseRow(row)];
    sort();
    summarise();
    applyFilter();
  };

  const ACTIVE = new Set(["waiting", "sending", "asking"]); // states of uploads that are not finished

  class Upload {
    constructor(file) {
      this.file = file;
      this.name = file.name; // another one if the user keeps both files
      this.number = 1;
      this.mustBeNew = true;
      this.bar = make("progress", { max: Math.max(1, file.size), value: 0, ariaLabel: `Upload of ${file.name}` });
      this.note = make("span", { className: "note" });
      this.actions = make("div", { className: "actions" });
      this.item = make(
        "li",
        {},
        make("bdi", { className: "name", textContent: file.name, title: file.name }),
        make("div", { className: "detail" }, this.bar, this.note),
        this.actions,
      );
      find("queue").append(this.item);
      find("uploads").hidden = false;
      this.wait();
    }

    // States: waiting, sending, asking (what to do if a file exists), then done, failed, cancelled or skipped.
    enter(state, note, ...buttons) {
      const focused = this.actions.contains(document.activeElement);
      this.item.dataset.state = state;
      this.note.textContent = note;
      this.bar.hidden = state !== "sending" && state !== "waiting";
      this.actions.replaceChildren(...buttons.map(([label, act]) => {
        const button = make("button", { type: "button", textContent: label, ariaLabel: `${label}: ${this.file.name}` });
        button.addEventListener("click", act);
        return button;
      }));
      const finished = [...find("queue").children].some((each) => !ACTIVE.has(each.dataset.state));
      find("clear").hidden = !finished;
      // The last choice, Skip, loses nothing if the user was about to press the previous button.
      if (focused) (this.actions.lastElementChild ?? find("clear")).focus();
    }

    wait() {
      this.bar.value = 0;
      this.enter("waiting", "Waiting", ["Cancel", () => this.cancel()]);
      waiting.push(this);
      next();
    }

    send() {
      sending += 1;
      this.enter("sending", "0 %", ["Cancel", () => this.cancel()]);
      const request = this.request = new XMLHttpRequest();
      request.upload.addEventListener("progress", (event) => {
        this.bar.value = event.loaded;
        const share = Math.floor((100 * event.loaded) / Math.max(1, event.total));
        this.note.textContent = `${share} % of ${humanSize(this.file.size)}`;
      });
      request.addEventListener("load", () => this.handleResponse(request));
      request.addEventListener("error", () => this.fail("Connection lost, or the file could not be read"));
      request.addEventListener("abort", () => this.cancelled());
      request.addEventListener("loadend", () => {
        sending -= 1;
        next();
      });
      try {
        request.open("PUT", urlOf(this.name));
        if (this.mustBeNew) request.setRequestHeader("If-None-Match", "*");
        request.send(this.file);
      } catch (error) { // the name cannot be encoded in a URL
        sending -= 1;
        this.fail(error.message);
      }
    }

    handleResponse({ status, responseText }) {
      const { name, size } = this.file;
      if (status >= 200 && status < 300) {
        const as = this.name === name ? "" : ` as ${this.name}`;
        this.enter("done", `Uploaded${as}, ${humanSize(size)}`);
        say(`Uploaded ${name}${as}`);
        add(this.name, size);
      } else if (status === 412 && this.number > 1) {
        this.keepBoth();
      } else if (status === 412 && this.mustBeNew) {
        const choices = [["Replace", () => this.replace()], ["Keep both", () => this.keepBoth()], ["Skip", () => this.skip()]];
        this.enter("asking", "A file with this name already exists", ...choices);
        say(`A file named ${name} already exists: replace it, keep both or skip?`);
      } else {
        this.fail(responseText.trim().slice(0, 200) || `The server returned status ${status}`);
      }
    }

    skip() {
      this.enter("skipped", "Skipped", ["Retry", () => this.wait()]);
      say(`Upload of ${this.file.name} skipped`);
    }

    keepBoth() {
      do {
        this.number += 1;
        this.name = numbered(this.file.name, this.number);
      } while (entries.some((entry) => entry.name === this.name));
      this.wait();
    }

    replace() {
      this.mustBeNew = false;
      this.wait();
    }

    fail(reason) {
      this.enter("failed", reason, ["Retry", () => this.wait()]);
      say(`Upload of ${this.file.name} failed: ${reason}`);
    }

    cancel() {
      const place = waiting.indexOf(this);
      if (place < 0) return this.request.abort();
      waiting.splice(place, 1);
      this.cancelled();
    }

    cancelled() {
      this.enter("cancelled", "Cancelled", ["Retry", () => this.wait()]);
      say(`Upload of ${this.file.name} cancelled`);
    }
  }

  const next = () => {
    while (sending < maxSending && waiting.length) waiting.shift().send();
  };
  const upload = (files) => {
    if (files.length) say(`Uploading ${counted(files.length, "file")}`);
    for (const file of files) new Upload(file);
  };
  const refuse = (folder) => {
    const note = "Folders cannot be uploaded. Drop the files in it, or an archive of it (.zip).";
    const item = make(
      "li",
      {},
      make("bdi", { className: "name", textContent: `${folder}/`, title: folder }),
      make("div", { className: "detail" }, make("span", { className: "note", textContent: note })),
      make("div", { className: "actions" }),
    );
    item.dataset.state = "failed";
    find("queue").prepend(item); // before the files, which may fill the panel
    find("uploads").hidden = find("clear").hidden = false;
    item.scrollIntoView({ block: "nearest" });
    say(`${folder}: ${note}`);
  };
  find("files").addEventListener("change", (event) => {
    upload([...event.target.files]);
    event.target.value = "";
  });
  find("clear").addEventListener("click", () => {
    for (const item of [...find("queue").children]) if (!ACTIVE.has(item.dataset.state)) item.remove();
    find("uploads").hidden = !find("queue").children.length;
    find("clear").hidden = true;
    find("files").focus();
  });
  addEventListener("beforeunload", (event) => {
    if (sending) event.preventDefault();
  });

  // Drag and drop, anywhere on the page. Folders are refused with a message.

  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const showDropTarget = (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    find("drop").hidden = false;
  };
  addEventListener("dragenter", showDropTarget);
  addEventListener("dragover", showDropTarget);
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) find("drop").hidden = true; // the pointer left the window, not just an element
  });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    find("drop").hidden = true;
    const files = [];
    const folders = [];
    for (const item of event.dataTransfer.items) {
      const entry = item.webkitGetAsEntry?.();
      if (entry?.isDirectory) folders.push(entry.name);
      else if (item.kind === "file") files.push(item.getAsFile());
    }
    upload(files);
    folders.forEach(refuse);
  });
})();
