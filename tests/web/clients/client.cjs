// node client.cjs fetch|axios FOLDER: reads {method, url, headers, body} as JSON from standard
// input, sends it, prints {status, body}. FOLDER holds node_modules/axios.
const { text } = require("node:stream/consumers");

async function byFetch({ method, url, headers, body }) {
  const answer = await fetch(url, { method, headers, body: body ?? undefined });
  return { status: answer.status, body: await answer.text() };
}

async function byAxios({ method, url, headers, body }, folder) {
  const axios = require(require.resolve("axios", { paths: [folder] }));
  const answer = await axios.request({
    method,
    url,
    headers,
    data: body ?? undefined,
    proxy: false,
    responseType: "text",
    transformResponse: (data) => data, // as it came, not parsed
    validateStatus: () => true,
  });
  return { status: answer.status, body: answer.data ?? "" };
}

async function main([kind, folder]) {
  const wish = JSON.parse(await text(process.stdin));
  const answer = kind === "axios" ? await byAxios(wish, folder) : await byFetch(wish);
  process.stdout.write(JSON.stringify(answer));
}

main(process.argv.slice(2));
