-- wrk: one request after another with the credentials of a file, from a place in it on.
local keys = {}
for line in io.open(os.getenv("BENCH_KEYS")):lines() do
  keys[#keys + 1] = line
end
local at = tonumber(os.getenv("BENCH_START")) % #keys
local head = "GET " .. os.getenv("BENCH_PATH") .. " HTTP/1.1\r\nHost: auth.example.com\r\nOrigin: https://ci.example.com\r\n" .. os.getenv("BENCH_HEADER")

function request()
  at = at % #keys + 1
  return head .. keys[at] .. "\r\n\r\n"
end
