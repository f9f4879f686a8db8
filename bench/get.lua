-- For wrk: asks for the paths that stand in the file BENCH_TARGETS, in turn, and for BENCH_RANGE of each.
local requests, next_one = {}, 0

function init()
  local headers = {}
  if os.getenv("BENCH_RANGE") then headers["Range"] = os.getenv("BENCH_RANGE") end
  for target in io.lines(os.getenv("BENCH_TARGETS")) do
    requests[#requests + 1] = wrk.format("GET", target, headers)
  end
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end
