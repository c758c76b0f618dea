-- Requests that their senders may repeat: one row for each key, until it is forgotten. `answer` is null
-- as long as the request is worked on; `job_key` is the idempotency key of the job that it makes.
CREATE TABLE request (
    account BIGINT NOT NULL,
    request_key VARCHAR(255) {exact} NOT NULL,
    digest {bytes} NOT NULL,
    job_key VARCHAR(32) {exact} NOT NULL,
    answer {json},
    begun_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, request_key),
    FOREIGN KEY (account) REFERENCES account (id)
) {tail};

CREATE INDEX request_created ON request (created_at);
