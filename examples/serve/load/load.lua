-- Posts digits, with damaged ones among them, and checks each answer: 200 and always the same class for a digit, 400 for
-- a damaged one. Each thread of wrk needs to have one connection, so that answers come in the order of requests.

local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

local function read(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    return text
end

function init(arguments)
    pictures, next_one, expected = {}, 0, nil
    good, refused, busy, wrong, note = 0, 0, 0, 0, ""
    classes = {}
    for path in io.popen("ls " .. arguments[1] .. "/*.png"):lines() do
        table.insert(pictures, read(path))
    end
end

-- Every fifth is damaged: cut short, with a byte changed, no picture at all, or empty.
local function damaged(picture, kind)
    local middle = math.floor(#picture / 2)
    if kind == 0 then
        return picture:sub(1, middle)
    elseif kind == 1 then
        return picture:sub(1, middle) .. string.char((picture:byte(middle + 1) + 1) % 256) .. picture:sub(middle + 2)
    elseif kind == 2 then
        return "this is no picture"
    end
    return ""
end

function request()
    next_one = next_one + 1
    local at = next_one % #pictures + 1
    local body = pictures[at]
    if next_one % 5 == 0 then
        body = damaged(body, math.floor(next_one / 5) % 4)
        expected = 0
    else
        expected = at
    end
    return wrk.format("POST", "/predict?top=1", { ["Content-Type"] = "image/png" }, body)
end

function response(status, headers, body)
    if status == 503 then
        busy = busy + 1
    elseif expected == 0 and status == 400 and body:find('"error"', 1, true) then
        refused = refused + 1
    elseif expected ~= 0 and status == 200 then
        local class = body:match('"label":(%d+)')
        classes[expected] = classes[expected] or class
        if class and classes[expected] == class then
            good = good + 1
        else
            wrong, note = wrong + 1, body
        end
    else
        wrong, note = wrong + 1, status .. " " .. body
    end
end

function done(summary, latency, requests)
    local good, refused, busy, wrong = 0, 0, 0, 0
    for _, thread in ipairs(threads) do
        good, refused = good + thread:get("good"), refused + thread:get("refused")
        busy, wrong = busy + thread:get("busy"), wrong + thread:get("wrong")
        if thread:get("note") ~= "" then
            print("for example: " .. thread:get("note"))
        end
    end
    local errors = summary.errors
    local lost = errors.connect + errors.read + errors.write + errors.timeout
    print(string.format("answered %d, refused %d damaged ones, %d busy, %d wrong, %d lost", good, refused, busy, wrong, lost))
    print(string.format("p50 %.1f ms, p99 %.1f ms, longest %.1f ms",
        latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
    if wrong + lost > 0 then
        os.exit(1)
    end
end
