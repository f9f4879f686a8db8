-- For wrk: uploads of BENCH_SIZE bytes.
wrk.method = "PUT"
wrk.path = "/DataFile/"
wrk.body = string.rep("x", tonumber(os.getenv("BENCH_SIZE")))
