-- For wrk: uploads of BENCH_SIZE bytes, to the paths that stand in the file BENCH_TARGETS in turn, or else to /DataFile/.
local body, requests, next_one = string.rep("x", tonumber(os.getenv("BENCH_SIZE"))), {}, 0

function init()
  local targets = os.getenv("BENCH_TARGETS")
  if not targets then
    requests[1] = wrk.format("PUT", "/DataFile/", nil, body)
    return
  end
  for target in io.lines(targets) do requests[#requests + 1] = wrk.format("PUT", target, nil, body) end
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end
