// What the reference can do beyond being read: search, choose a language, unfold schemas where they are named, copy.

const html = document.documentElement;
const main = document.querySelector("main");
const links = [...document.querySelectorAll("nav li a[href^='#']")];
html.classList.add("scripted");

// Addresses of the page that was here before name an operation behind its tag.
const [, bookmarked] = location.hash.match(/^#\/[^/]+\/(\w+)$/) ?? [];
if (bookmarked) location.replace(`#${bookmarked}`);

// A kept choice, where the browser keeps any.
const kept = (name, value) => {
  try {
    if (value === undefined) return localStorage.getItem(name);
    localStorage.setItem(name, value);
  } catch {
    return null;
  }
};

// Languages: one is shown, everywhere the same.
const samples = [...document.querySelectorAll(".sample")];
const choose = (language) => {
  for (const each of samples) each.hidden = each.dataset.language !== language;
  for (const each of document.querySelectorAll(".languages button")) {
    each.setAttribute("aria-pressed", String(each.textContent === language));
  }
  kept("language", language);
};
const languages = [...new Set(samples.map((each) => each.dataset.language))];
for (const group of document.querySelectorAll(".samples")) {
  const bar = document.createElement("div");
  bar.className = "languages";
  for (const language of languages) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = language;
    button.addEventListener("click", () => {
      const before = button.getBoundingClientRect().top;
      choose(language);
      scrollBy(0, button.getBoundingClientRect().top - before);
    });
    bar.append(button);
  }
  group.prepend(bar);
}
if (languages.length) choose(languages.includes(kept("language")) ? kept("language") : languages[0]);

// Schemas: where one is named, its fields unfold.
const unfold = (container) => {
  for (const link of container.querySelectorAll("a.schema")) {
    const named = document.getElementById(link.hash.slice(1));
    const place = link.closest("dt, h4, .variant");
    if (!named || !place) continue;
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    summary.textContent = `Fields of ${link.textContent}`;
    details.append(summary);
    details.addEventListener("toggle", () => {
      if (!details.open || details.children.length > 1) return;
      for (const part of named.querySelector(".text").children) {
        if (part.matches(".fields, .variant")) details.append(part.cloneNode(true));
      }
      for (const inner of details.querySelectorAll("details > summary")) {
        if (inner.textContent.startsWith("Fields of ") && inner !== summary) inner.parentElement.remove();
      }
      unfold(details);
    });
    if (place.tagName === "DT") place.nextElementSibling.append(details);
    else if (place.tagName === "DIV") place.append(details);
    else if (!place.parentElement.querySelector(":scope > .fields") || place.closest("#messages")) place.after(details);
  }
};
unfold(main);

// Search: in titles first, then in all of the text.
const input = document.getElementById("search");
if (input) {
  const said = document.querySelector("header output");
  const text = (node) => node.textContent.toLowerCase();
  let index;
  const sections = [...document.querySelectorAll("nav > ul, nav > h2")];
  const search = () => {
    index ??= links.map((link) => {
      const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
      return { link, title: `${text(link)} ${link.hash.slice(1).toLowerCase()}`, all: target ? text(target) : "" };
    });
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const inAll = (where) => words.every((word) => where.includes(word));
    const titled = index.some(({ title }) => inAll(title));
    let count = 0;
    for (const { link, title, all } of index) {
      const found = !words.length || inAll(titled ? title : all);
      link.parentElement.hidden = !found;
      if (found) count += 1;
    }
    for (const each of sections) {
      if (each.tagName === "H2") each.hidden = words.length > 0 && !each.nextElementSibling.querySelector("li:not([hidden]) a[href^='#']");
    }
    said.textContent = words.length ? `${count} found${titled || !count ? "" : " in the text"}` : "";
  };
  input.addEventListener("input", search);
  input.addEventListener("keydown", (event) => {
    const first = links.find((link) => !link.parentElement.hidden);
    if (event.key === "Enter" && first) first.click();
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && input.value) {
      input.value = "";
      search();
    }
    if (event.key !== "/" || event.target.matches("input, textarea")) return;
    event.preventDefault();
    input.focus();
  });
}

// Contents: folded where there is little room, and following the reader.
const header = document.querySelector("header");
const button = header.querySelector("button");
button.addEventListener("click", () => {
  button.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") === "false"));
});
input?.addEventListener("focus", () => button.setAttribute("aria-expanded", "true"));
header.querySelector("nav").addEventListener("click", (event) => {
  if (event.target.closest("a")) button.setAttribute("aria-expanded", "false");
});
const byTarget = new Map(links.map((link) => [decodeURIComponent(link.hash.slice(1)), link]));
const watcher = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    document.querySelector("nav a[aria-current='true']")?.removeAttribute("aria-current");
    const link = byTarget.get(target.id);
    link.setAttribute("aria-current", "true");
    if (getComputedStyle(header).position === "sticky" && document.activeElement !== input) {
      link.scrollIntoView({ block: "nearest" });
    }
  }
}, { rootMargin: "-10% 0px -85% 0px" });
for (const id of byTarget.keys()) {
  const target = document.getElementById(id);
  if (target) watcher.observe(target);
}

// Copying: a button on each piece of code.
if (navigator.clipboard) {
  main.addEventListener("pointerover", (event) => {
    const pre = event.target.closest("pre");
    if (!pre || pre.querySelector(".copy")) return;
    const copy = document.createElement("button");
    copy.type = "button";
    copy.className = "copy";
    copy.textContent = "Copy";
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(pre.querySelector("code").textContent);
      copy.textContent = "Copied";
      setTimeout(() => { copy.textContent = "Copy"; }, 1500);
    });
    pre.append(copy);
  });
}
