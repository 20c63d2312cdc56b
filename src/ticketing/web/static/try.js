// Trying the API: reads the contract that is served (with `?ops` that for operators), and sends requests to this very
// installation with your token.

// Swagger UI fills every parameter with its example, and so would ask for the tickets that match all filters at once,
// from a cursor that was never given, and retry with one key what are different requests. Here only what is required
// is filled; the other examples can be read.
const asRead = (parameter) => {
  if (!parameter.in || parameter.required) return parameter;
  const { example, examples, ...rest } = parameter;
  const shown = example ?? Object.values(examples ?? {})[0]?.value;
  if (shown === undefined) return rest;
  return { ...rest, description: `${rest.description ?? ""}\n\nFor example: \`${[shown].flat().join(",")}\`` };
};
const everyOne = (thing) => {
  if (Array.isArray(thing)) return thing.map(everyOne);
  if (thing === null || typeof thing !== "object") return thing;
  return Object.fromEntries(Object.entries(thing).map(([name, inner]) => {
    if (name === "parameters") {
      return [name, Array.isArray(inner) ? inner.map(asRead)
        : Object.fromEntries(Object.entries(inner).map(([key, one]) => [key, asRead(one)]))];
    }
    return [name, name === "examples" || name === "schemas" ? inner : everyOne(inner)];
  }));
};
// The contract does not know where it is served; this page does.
const ofThisInstallation = (contract) => {
  for (const server of contract.servers) server.variables.origin.default = location.origin;
  return contract;
};
const OnlyWhatIsRequired = {
  statePlugins: { spec: { wrapActions: {
    updateJsonSpec: (update) => (contract) => update(ofThisInstallation(everyOne(contract))),
  } } },
};

window.ui = SwaggerUIBundle({
  url: location.search === "?ops" ? "../ops/v1/openapi.json" : "../api/v1/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  plugins: [OnlyWhatIsRequired],
  tryItOutEnabled: true,
  validatorUrl: null,
});

// It is dark where its reader wants that, and changes with it.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
