/** Parts of sections as joi schemas, for validators: `joi.object({ s3: hostPortJoi, retry: retryParamsJoi })`. */
import joi from 'joi';

export const hostPortJoi = joi.object({
  host: joi.string().required(),
  port: joi.number().port().required(),
});

export const transportJoi = joi.string().valid('http', 'https').default('http');

export const authJoi = joi.object({
  type: joi.string().valid('account', 'service').required(),
  account: joi.string().required(),
});

/** `[{ site, servers: ['host:port', …] }]`, or with a `type` in place of servers. */
export const bootstrapListJoi = joi.array().items(
  joi
    .object({
      site: joi.string().required(),
      servers: joi.array().items(joi.string()),
      type: joi.string(),
      default: joi.boolean(),
    })
    .or('servers', 'type'),
);

export const logJoi = joi.object({
  logLevel: joi.string().valid('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').default('info'),
  dumpLevel: joi
    .string()
    .valid('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent')
    .default('error'),
});

export const probeServerJoi = joi.object({
  bindAddress: joi.string().default('localhost'),
  port: joi.number().port().required(),
});

/** How what fails is tried again; the runner's own settings decide for messages. */
export const retryParamsJoi = joi.object({
  maxRetries: joi.number().integer().min(0),
  timeoutS: joi.number().positive(),
  backoff: joi.object({
    min: joi.number().positive(),
    max: joi.number().positive(),
    jitter: joi.number().min(0).max(1),
    factor: joi.number().min(1),
  }),
});
