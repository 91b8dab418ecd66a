"use strict";

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

async function asked(url) {
  const answer = await fetch(url);
  const body = await answer.json();
  if (!answer.ok && !body.dependencies) throw new Error(body.error || answer.statusText);
  return body;
}

async function showPaths() {
  const list = document.getElementById("paths");
  try {
    const { knownPaths } = await asked("/api/review-paths");
    list.replaceChildren(...knownPaths.map((path) => element("li", path)));
    if (knownPaths.length === 0) list.replaceChildren(element("li", "None yet: POST one to /api/review-paths."));
  } catch (error) {
    list.replaceChildren(element("li", error.message));
  }
}

async function showParts() {
  const table = document.getElementById("parts");
  try {
    const { dependencies } = await asked("/health/ready");
    table.replaceChildren(
      ...Object.entries(dependencies).map(([name, part]) => {
        const row = document.createElement("tr");
        row.append(element("th", name), element("td", part.state), element("td", part.reason || ""));
        row.dataset.state = part.state;
        return row;
      }),
    );
  } catch (error) {
    table.replaceChildren(element("td", error.message));
  }
}

showPaths();
showParts();
