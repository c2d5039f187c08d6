-- Chancery, migration 8: plans for challenges in bulk.
--
-- A worker of the signer keeps its plans. One that was made while there were a few devices reads all of them for each challenge, and stays until the
-- tables are next analysed: what is made right after an import of 20,000 devices took a minute, or its deadline. A new plan costs a millisecond for up
-- to 500 challenges, and sees the tables as large as they are.
ALTER FUNCTION chancery.signer_challenge_read(int, text, text, bigint, int) SET plan_cache_mode = force_custom_plan;
ALTER FUNCTION chancery.signer_challenge_write(int, text, bigint[], bigint[], bigint[]) SET plan_cache_mode = force_custom_plan;
