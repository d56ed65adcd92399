// Text and bytes that codecs often get wrong.

export const UNICODE = 'é € 日本語 🦔👩‍👩‍👧 \u2028 \u2029 \u0000 \ufeff "\\n\\\\n" \r\n end';

export const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
