// The same from a page of the origin PAGE, as a browser sends it: node browser.js PAGE ADDRESS ACCOUNT …
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { ask, retrying } from "./ask.js";

const [page, address, ...words] = process.argv.slice(2);

// A browser says by itself which page asks.
const fetched: typeof fetch = (input, init) => {
  const headers = new Headers(init?.headers);
  headers.set("origin", page);
  return fetch(input, { ...init, headers });
};
const transport = createGrpcWebTransport({
  baseUrl: `http://${address}`,
  interceptors: [retrying],
  fetch: fetched,
});
console.log(await ask(transport, words));
