// A Worker that has nothing in it.

export default { fetch: () => new Response('') };
