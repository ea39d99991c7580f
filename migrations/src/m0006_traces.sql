-- The request's span, as W3C Trace Context writes it: what the attempts of the task continue.
ALTER TABLE tasks ADD COLUMN traceparent TEXT;
