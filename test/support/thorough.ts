/** Whether tests take all cases that they know (`npm run test:long`), or those that differ most. */
export const thorough = process.env.AEGIS_THOROUGH === "1";
