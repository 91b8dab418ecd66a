"use strict";

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function shown(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

function parametersTable(parameters) {
  const rows = parameters.map((parameter) => {
    const { type, minimum, maximum, default: preset, enum: choices } = parameter.schema;
    let kind = choices ? choices.join(", ") : type;
    if (minimum !== undefined) kind += maximum === undefined ? ` ≥ ${minimum}` : ` ${minimum}..${maximum}`;
    if (preset !== undefined) kind += `, default ${preset}`;
    const name = parameter.name + (parameter.required ? " *" : "");
    return element("tr", "", element("th", name), element("td", kind), element("td", parameter.description));
  });
  return element("table", "", element("tbody", "", ...rows));
}

function example(title, content) {
  const parts = [];
  for (const [type, { example: sample }] of Object.entries(content || {})) {
    parts.push(element("p", `${title}: ${type}`));
    if (sample !== undefined) parts.push(element("pre", shown(sample)));
  }
  return parts;
}

function operationBlock(method, path, operation) {
  const summary = element("summary", "", element("code", `${method.toUpperCase()} ${path}`), ` ${operation.summary}`);
  const block = element("details", "", summary);
  if (operation.parameters && operation.parameters.length) block.append(parametersTable(operation.parameters));
  if (operation.requestBody) block.append(...example("Request", operation.requestBody.content));
  for (const [status, answer] of Object.entries(operation.responses)) {
    if (Number(status) < 400) block.append(...example(`Answer ${status}`, answer.content));
    else block.append(element("p", `${status}: ${answer.description}`));
  }
  return block;
}

async function show() {
  const target = document.getElementById("routes");
  try {
    const answer = await fetch("/openapi.json");
    const api = await answer.json();
    target.replaceChildren();
    for (const tag of api.tags) {
      target.append(element("h2", tag.name), element("p", tag.description));
      for (const [path, methods] of Object.entries(api.paths)) {
        for (const [method, operation] of Object.entries(methods)) {
          if (operation.tags.includes(tag.name)) target.append(operationBlock(method, path, operation));
        }
      }
    }
  } catch (error) {
    target.replaceChildren(element("p", error.message));
  }
}

show();
