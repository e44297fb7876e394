// The API as JSON over HTTP, as a caller meets it: every method, the same answers as gRPC's, and what no caller should
// get away with.
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "google/api/annotations.pb.h"
#include "tests/e2e/security/generic_call.h"
#include "tests/e2e/server_fixture.h"
#include "tests/support/http_client.h"

namespace sightline::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Json = nlohmann::json;

constexpr char kSearchA[] =
    R"({"query": {"parts": [{"globalDescriptor": {"values": [1, 0, 0, 0], "embeddingSpace": "space"}}]}})";

Json Parse(const HttpAnswer& answer) { return Json::parse(answer.body, nullptr, /*allow_exceptions=*/false); }

// The reason of an error; "" where it has none, or is none.
std::string Reason(const HttpAnswer& answer) {
  const Json json = Parse(answer);
  if (!json.is_object() || !json.contains("error")) return "";
  EXPECT_EQ(json["error"]["code"], answer.code) << answer.body;
  for (const Json& detail : json["error"]["details"]) {
    if (detail.contains("reason")) return detail["reason"];
  }
  return "";
}

std::string Form(const std::vector<std::pair<std::string, std::string>>& parts, const std::string& boundary = "xYz") {
  std::string body;
  for (const auto& [name, content] : parts) {
    absl::StrAppend(&body, "--", boundary, "\r\nContent-Disposition: form-data; name=\"", name,
                    "\"; filename=\"f\"\r\nContent-Type: application/octet-stream\r\n\r\n", content, "\r\n");
  }
  return absl::StrCat(body, "--", boundary, "--\r\n");
}

class HttpTest : public ServerFixture {
 protected:
  HttpTest() : http_(server_->http_port()) {}

  HttpAnswer Upload(const std::string& path, const std::string& form, const std::string& boundary = "xYz") {
    return HttpClient(server_->http_port())
        .Call("POST", path, form,
              {"Content-Type: multipart/form-data; boundary=" + boundary, "X-Requested-With: test"});
  }

  HttpClient http_;
};

// --- every method ---

// An address of the method, with `x` for what it names.
std::string PathOf(const google::protobuf::MethodDescriptor& method) {
  std::string path = method.options().GetExtension(google::api::http).post();
  for (size_t open; (open = path.find('{')) != std::string::npos;) {
    const size_t close = path.find('}');
    const std::vector<std::string> halves = absl::StrSplit(path.substr(open + 1, close - open - 1), '=');
    path.replace(open, close - open + 1, halves.size() == 2 ? absl::StrReplaceAll(halves[1], {{"*", "x"}}) : "x");
  }
  return path;
}

TEST_F(HttpTest, EveryMethodAnswersAsByGrpc) {
  int compared = 0;
  for (const auto& [name, method] : AllMethods()) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(method->options().HasExtension(google::api::http)) << "no google.api.http option";
    if (method->client_streaming() || method->server_streaming()) continue;
    const std::string path = PathOf(*method);
    ASSERT_THAT(path, StartsWith("/v1"));
    // The same message by gRPC: what the path names is set in it.
    google::protobuf::DynamicMessageFactory factory;
    const std::unique_ptr<google::protobuf::Message> message(factory.GetPrototype(method->input_type())->New());
    for (const auto& piece : absl::StrSplit(method->options().GetExtension(google::api::http).post(), '{')) {
      if (!absl::StrContains(piece, '}')) continue;
      const std::vector<std::string> halves = absl::StrSplit(std::string(piece.substr(0, piece.find('}'))), '=');
      const auto* field = message->GetDescriptor()->FindFieldByName(halves[0]);
      message->GetReflection()->SetString(message.get(), field,
                                          halves.size() == 2 ? absl::StrReplaceAll(halves[1], {{"*", "x"}}) : "x");
    }
    const std::string bytes = message->SerializeAsString();
    const grpc::Slice slice(bytes);
    grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer reply;
    grpc::ClientContext context;
    Rpc::SetDeadline(context);
    grpc::GenericStub stub(rpc_->channel);
    grpc::CompletionQueue queue;
    grpc::Status by_grpc;
    const auto call = stub.PrepareUnaryCall(&context, absl::StrCat("/sightline.v1.", name), request, &queue);
    call->StartCall();
    call->Finish(&reply, &by_grpc, this);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    const HttpAnswer answer = http_.Post(path, "{}");
    const Json json = Parse(answer);
    ASSERT_TRUE(json.is_object()) << answer.code << " " << answer.body;
    if (by_grpc.ok()) {
      EXPECT_EQ(answer.code, 200) << answer.body;
    } else {
      const absl::Status status = Rpc::Decode(by_grpc);
      EXPECT_EQ(json["error"]["message"], std::string(status.message()));
      EXPECT_EQ(Reason(answer), base::GetErrorInfo(status).reason);
      EXPECT_EQ(json["error"]["status"], absl::StatusCodeToString(status.code()));
    }
    EXPECT_TRUE(answer.headers.contains("x-request-id"));
    ++compared;
  }
  EXPECT_GE(compared, 33);
}

TEST_F(HttpTest, FindsWhatWasIndexed) {
  const HttpAnswer answer = http_.Post("/v1/collections/v:search", kSearchA, {"X-Request-Id: mine"});
  ASSERT_EQ(answer.code, 200) << answer.body;
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  EXPECT_EQ(answer.headers.at("cache-control"), "no-store");
  EXPECT_EQ(answer.headers.at("x-request-id"), "mine");
  EXPECT_EQ(answer.headers.count("access-control-allow-origin"), 0u);
  const Json json = Parse(answer);
  EXPECT_EQ(json["results"][0]["id"], "a") << answer.body;
  EXPECT_NEAR(json["results"][0]["score"].get<double>(), 1, 1e-6);
}

TEST_F(HttpTest, AnIdMayHoldAnything) {
  const std::string id = "a folder/b:c?d#é%.jpg";
  const Json item = {
      {"item", {{"id", id}, {"globalDescriptor", {{"values", {0, 0, 1, 0}}, {"embeddingSpace", "space"}}}}}};
  ASSERT_EQ(http_.Post("/v1/collections/v/images", item.dump()).code, 200);
  const std::string path = "/v1/collections/v/images/a%20folder%2Fb:c%3Fd%23%C3%A9%25.jpg";
  const HttpAnswer found = http_.Get(path);
  ASSERT_EQ(found.code, 200) << found.body;
  EXPECT_EQ(Parse(found)["image"]["id"], id);
  EXPECT_EQ(Parse(found)["image"]["revision"], "1");
  EXPECT_EQ(http_.Get(path + "?view=IMAGE_VIEW_VECTORS").code, 200);
  EXPECT_EQ(Reason(http_.Get(path + "/preview")), "PREVIEW_NOT_KEPT");
  EXPECT_EQ(http_.Post("/v1/collections/v/images:delete", Json({{"ids", {id}}}).dump()).code, 200);
  EXPECT_EQ(http_.Get(path).code, 404);
}

TEST_F(HttpTest, ReadsAndWritesThroughEveryVerb) {
  const HttpAnswer list = http_.Get("/v1/collections/v/images?page_size=1");
  EXPECT_EQ(Parse(list)["images"].size(), 1u) << list.body;
  EXPECT_EQ(http_.Call("HEAD", "/v1/collections").code, 200);
  const std::string made = R"({"name": "made", "embeddingSpace": "space", "descriptorDim": 4})";
  EXPECT_EQ(http_.Post("/v1/collections", made).code, 200);
  EXPECT_EQ(http_.Post("/v1/collections", made).code, 409);
  EXPECT_EQ(http_.Call("DELETE", "/v1/collections/made").code, 200);
  EXPECT_EQ(http_.Call("DELETE", "/v1/collections/made").code, 404);
  const HttpAnswer refused = http_.Call("PUT", "/v1/collections", "{}", {"Content-Type: application/json"});
  EXPECT_EQ(refused.code, 405);
  EXPECT_THAT(refused.headers.at("allow"), HasSubstr("GET"));
  EXPECT_EQ(http_.Get("/v1/nothing").code, 404);
  EXPECT_EQ(http_.Post("/v1/aliases/a:set", "{}").code, 400);
}

TEST_F(HttpTest, ServesTheConsoleAndProbes) {
  const HttpAnswer page = http_.Get("/");
  EXPECT_EQ(page.code, 200);
  EXPECT_THAT(page.headers.at("content-security-policy"), HasSubstr("frame-ancestors 'none'"));
  EXPECT_EQ(http_.Get("/", {"If-None-Match: " + page.headers.at("etag")}).code, 304);
  EXPECT_EQ(http_.Get("/readyz").body, "ready\n");
  EXPECT_EQ(http_.Get("/%2e%2e/etc/passwd").code, 404);
}

// --- forms ---

TEST_F(HttpTest, TakesForms) {
  const std::string request = R"({"item": {"id": "of a form"}})";
  // No model is loaded: what comes back shows that the image arrived.
  const HttpAnswer answer =
      Upload("/v1/collections/v/images", Form({{"request", request}, {"item.image", "\xFF\xD8\xFF"}}));
  EXPECT_THAT(Reason(answer), AnyOf("MODEL_NOT_LOADED", "COLLECTION_HAS_NO_MODEL", "NO_MODEL")) << answer.body;
  // The same without the custom header could come from any page.
  HttpClient page(server_->http_port());
  EXPECT_EQ(page.Call("POST", "/v1/collections/v/images", Form({{"request", request}}),
                      {"Content-Type: multipart/form-data; boundary=xYz"})
                .code,
            415);
}

TEST_F(HttpTest, RefusesBrokenForms) {
  const std::string path = "/v1/collections/v/images";
  EXPECT_EQ(Reason(Upload(path, Form({{"request", "{}"}, {"request", "{}"}}))), "PART_TWICE");
  EXPECT_EQ(Reason(Upload(path, Form({{"nothing", "x"}}))), "FIELD_UNKNOWN");
  EXPECT_EQ(Reason(Upload(path, Form({{"item.id", "x"}}))), "FIELD_NOT_BYTES");
  EXPECT_EQ(Reason(Upload(path, Form({{"item.image", "x"}, {"item.image", "y"}}))), "FIELD_TWICE");
  EXPECT_EQ(Reason(Upload(path, Form({{"request", "{"}}))), "JSON_INVALID");
  const std::string whole = Form({{"request", "{}"}, {"item.image", std::string(1000, 'x')}});
  EXPECT_EQ(Reason(Upload(path, whole.substr(0, whole.size() - 200))), "FORM_TRUNCATED");
  EXPECT_EQ(Upload(path, whole, "another").code, 400);
  EXPECT_EQ(Upload(path, whole, std::string(500, 'b')).code, 415);
  std::vector<std::pair<std::string, std::string>> many;
  for (int i = 0; i < 100; ++i) many.emplace_back(absl::StrCat("p", i), "x");
  EXPECT_EQ(Reason(Upload(path, Form(many))), "TOO_MANY_PARTS");
  // Forms with bytes changed, cut and doubled: any answer but a crash.
  std::mt19937 random(20261122);
  SCOPED_TRACE("seed 20261122");
  for (int i = 0; i < 60; ++i) {
    std::string form = whole;
    for (int j = 0; j < 8; ++j) form[random() % form.size()] = static_cast<char>(random());
    if (i % 3 == 0) form.resize(random() % form.size());
    if (form.empty()) form = "-";
    EXPECT_NE(Upload(path, form).code, 0);
  }
}

// --- hostile requests ---

TEST_F(HttpTest, RefusesHostileBodies) {
  const std::string path = "/v1/collections/v:search";
  const auto refused = [&](const std::string& json) { return HttpClient(server_->http_port()).Post(path, json); };
  for (const std::string& bad :
       {std::string("{"), std::string("[[[["), std::string("{\"query\": \"\xFF\xFE\"}"), std::string("\0\0", 2),
        std::string(R"({"query":{"parts":[{"image":"*not base64*"}]}})"), std::string(R"({"nothing": 1})"),
        std::string(R"({"topK": 99999999999999999999})"), std::string(R"({"topK": "NaN"})")}) {
    const HttpAnswer answer = refused(bad);
    EXPECT_EQ(answer.code, 400) << bad;
    EXPECT_EQ(Reason(answer), "JSON_INVALID") << answer.body;
  }
  std::string deep;
  for (int i = 0; i < 1'000'000; ++i) deep += "{\"a\":";
  EXPECT_EQ(refused(deep).code, 400);
  EXPECT_EQ(refused(std::string(2'000'000, '[')).code, 400);
  // The server's own words: what is wrong, and what to do.
  EXPECT_THAT(Parse(refused(R"({"nothing": 1})"))["error"]["message"].get<std::string>(), HasSubstr("nothing"));
}

TEST_F(HttpTest, RefusesBodiesByTheirPromise) {
  HttpClient huge(server_->http_port());
  huge.Send(
      "POST /v1/collections/v:search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 99999999999\r\n\r\n");
  const HttpAnswer refused = huge.Read();
  EXPECT_EQ(refused.code, 413) << refused.body;
  EXPECT_EQ(Reason(refused), "BODY_TOO_LARGE");
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded", "image/jpeg", "multipart/form-data"}) {
    HttpClient other(server_->http_port());
    EXPECT_EQ(other.Call("POST", "/v1/collections/v:search", "{}", {absl::StrCat("Content-Type: ", type)}).code, 415);
  }
  EXPECT_EQ(http_.Call("GET", "/v1/collections", "{}").code, 400) << "a GET has no body";
}

TEST_F(HttpTest, RefusesWhatProxiesReadDifferently) {
  const auto raw = [&](const std::string& text) {
    HttpClient client(server_->http_port());
    client.Send(text);
    return client.Read().code;
  };
  const std::string post =
      "POST /v1/collections:list HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  EXPECT_EQ(raw(post + "Content-Length: 2\r\n\r\n{}"), 200);
  EXPECT_EQ(raw(post + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), 200);
  EXPECT_EQ(raw(post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), 400);
  EXPECT_EQ(raw(post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} "), 400);
  for (const char* length : {"-2", "+2", "0x2", "2 2", "two"}) {
    EXPECT_THAT(raw(post + "Content-Length: " + length + "\r\n\r\n{}"), AnyOf(400, 0)) << length;
  }
  EXPECT_THAT(raw("POST /v1/collections:list HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"), AnyOf(400, 0)) << "no Host";
  EXPECT_THAT(raw("GET /v1/collections HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
  EXPECT_EQ(http_.Get("/v1/collections").code, 200);
}

TEST_F(HttpTest, StrangersPagesMayNotUseIt) {
  EXPECT_EQ(http_.Get("/v1/collections", {"Origin: https://evil.example.com"}).code, 403);
  EXPECT_EQ(http_.Post("/v1/collections:list", "{}", {"Origin: null"}).code, 403);
  EXPECT_EQ(
      http_.Post("/v1/collections:list", "{}", {absl::StrCat("Origin: http://127.0.0.1:", server_->http_port())}).code,
      200);
  HttpClient rebound(server_->http_port());
  rebound.Send("GET /v1/collections HTTP/1.1\r\nHost: evil.example.com\r\n\r\n");
  EXPECT_EQ(rebound.Read().code, 403);
  const HttpAnswer preflight = http_.Call("OPTIONS", "/v1/collections:list", "",
                                          {"Origin: https://evil.example.com", "Access-Control-Request-Method: POST"});
  EXPECT_EQ(preflight.code, 403);
  EXPECT_EQ(preflight.headers.count("access-control-allow-origin"), 0u);
}

TEST_F(HttpTest, HeadersGoNoFurtherThanTheyMay) {
  EXPECT_EQ(Reason(HttpClient(server_->http_port()).Get("/v1/collections", {"Authorization: Bearer a\x01z"})),
            "REQUEST_MALFORMED");
  EXPECT_EQ(Reason(HttpClient(server_->http_port()).Get("/v1/collections", {"Authorization: Bearer \xC3\xA9"})),
            "HEADER_INVALID");
  EXPECT_EQ(Reason(HttpClient(server_->http_port())
                       .Get("/v1/collections", {"Authorization: Bearer a", "Authorization: Bearer b"})),
            "HEADER_INVALID");
  for (const char* timeout : {"soon", "1", "m", "-1S", "999999999S", "0S"}) {
    EXPECT_EQ(
        Reason(HttpClient(server_->http_port()).Get("/v1/collections", {absl::StrCat("Grpc-Timeout: ", timeout)})),
        "HEADER_INVALID")
        << timeout;
  }
  EXPECT_EQ(http_.Get("/v1/collections", {"Grpc-Timeout: 10S"}).code, 200);
  // A header of the gateway's own is not passed on, and what it stands for is believed of no gRPC caller.
  EXPECT_EQ(http_.Get("/v1/collections", {"sightline-http-peer: ipv4:1.2.3.4:5"}).code, 200);
  grpc::ClientContext context;
  Rpc::SetDeadline(context);
  context.AddMetadata("sightline-http-peer", "ipv4:1.2.3.4:5");
  v1::ListCollectionsResponse reply;
  const absl::Status status = Rpc::Decode(rpc_->collections->ListCollections(&context, {}, &reply));
  EXPECT_EQ(base::GetErrorInfo(status).reason, "METADATA_RESERVED") << status;
}

TEST_F(HttpTest, ServesManyConnections) {
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(std::make_unique<HttpClient>(server_->http_port()));
  const std::string request = absl::StrCat(
      "POST /v1/collections/v:search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ",
      sizeof(kSearchA) - 1, "\r\n\r\n", kSearchA);
  int answered = 0;
  int refused = 0;
  for (const auto& client : clients) client->Send(request);
  for (const auto& client : clients) {
    const HttpAnswer answer = client->Read();
    answered += answer.code == 200 ? 1 : 0;
    refused += answer.code == 429 ? 1 : 0;  // beyond what waits for a thread: told so, with a time to come back
  }
  EXPECT_EQ(answered + refused, 200);
  EXPECT_GE(answered, 1);
}

// --- streams ---

std::string StreamLines(int count) {
  std::string lines;
  for (int i = 0; i < count; ++i) {
    Json request = Json::parse(kSearchA);
    request["collection"] = "v";
    request["requestId"] = absl::StrCat("r", i);
    lines += Json({{"request", request}}).dump() + "\n";
  }
  return lines;
}

TEST_F(HttpTest, StreamsSearches) {
  const HttpAnswer answer =
      http_.Call("POST", "/v1/searches:stream", StreamLines(300), {"Content-Type: application/x-ndjson"});
  ASSERT_EQ(answer.code, 200) << answer.body;
  EXPECT_TRUE(answer.whole);
  std::set<std::string> ids;
  for (const auto& line : absl::StrSplit(answer.body, '\n', absl::SkipEmpty())) {
    const Json json = Json::parse(line, nullptr, false);
    ASSERT_TRUE(json.is_object()) << line;
    EXPECT_EQ(json["response"]["results"][0]["id"], "a") << line;
    ids.insert(json["requestId"].get<std::string>());
  }
  EXPECT_EQ(ids.size(), 300u);
}

TEST_F(HttpTest, StreamsServerSentEvents) {
  const HttpAnswer answer = http_.Call("POST", "/v1/searches:stream", StreamLines(2),
                                       {"Content-Type: application/x-ndjson", "Accept: text/event-stream"});
  EXPECT_EQ(answer.headers.at("content-type"), "text/event-stream");
  EXPECT_THAT(answer.body, StartsWith("data: {"));
  EXPECT_TRUE(absl::EndsWith(answer.body, "}\n\n")) << answer.body;
}

TEST_F(HttpTest, AStreamAnswersWhatCameBeforeABadLine) {
  const HttpAnswer answer = http_.Call("POST", "/v1/searches:stream", StreamLines(3) + "{nonsense\n" + StreamLines(3),
                                       {"Content-Type: application/x-ndjson"});
  ASSERT_EQ(answer.code, 200) << answer.body;
  const std::vector<std::string> lines = absl::StrSplit(answer.body, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 4u) << answer.body;
  const Json last = Json::parse(lines.back());
  EXPECT_THAT(last["error"]["message"].get<std::string>(), StartsWith("line 4: "));
  const HttpAnswer first =
      HttpClient(server_->http_port())
          .Call("POST", "/v1/searches:stream", "{nonsense", {"Content-Type: application/x-ndjson"});
  EXPECT_EQ(first.code, 400) << first.body;
}

TEST_F(HttpTest, StreamsWrites) {
  std::string lines;
  for (int i = 0; i < 200; ++i) {
    lines += Json({{"request",
                    {{"collection", "v"},
                     {"requestId", absl::StrCat("w", i)},
                     {"item",
                      {{"id", absl::StrCat("s", i)},
                       {"globalDescriptor", {{"values", {0, 0, 0, 1}}, {"embeddingSpace", "space"}}}}}}}})
                 .dump() +
             "\r\n";
  }
  const HttpAnswer answer = http_.Call("POST", "/v1/images:indexStream", lines, {"Content-Type: application/x-ndjson"});
  ASSERT_EQ(answer.code, 200) << answer.body;
  EXPECT_EQ(std::count(answer.body.begin(), answer.body.end(), '\n'), 200);
  EXPECT_EQ(http_.Get("/v1/collections/v/images/s199").code, 200);
  std::vector<std::string> ids;
  for (int i = 0; i < 200; ++i) ids.push_back(absl::StrCat("s", i));
  EXPECT_EQ(http_.Post("/v1/collections/v/images:delete", Json({{"ids", ids}}).dump()).code, 200);
}

TEST_F(HttpTest, MovesSnapshots) {
  const HttpAnswer made = http_.Post("/v1/collections/v/snapshots", "{}");
  ASSERT_EQ(made.code, 200) << made.body;
  WaitForEnd(*client_, Parse(made)["operation"]["name"].get<std::string>());
  const Json snapshot = Parse(http_.Get("/v1/snapshots"))["snapshots"][0];
  const std::string name = snapshot["name"];
  const HttpAnswer whole = http_.Get("/v1/" + name);
  ASSERT_EQ(whole.code, 200) << whole.body;
  EXPECT_EQ(whole.headers.at("content-type"), "application/octet-stream");
  EXPECT_TRUE(whole.whole);
  EXPECT_EQ(whole.headers.at("content-length"), absl::StrCat(whole.body.size()));
  EXPECT_EQ(http_.Get("/v1/" + name + "?offset=100").body, whole.body.substr(100));
  EXPECT_EQ(http_.Post("/v1/" + name + ":download", "{\n\"offset\": 100}").body, whole.body.substr(100));
  EXPECT_EQ(http_.Get("/v1/snapshots/none").code, 400) << "no name of a snapshot";
  ASSERT_EQ(http_.Call("DELETE", "/v1/" + name).code, 200);
  const auto upload = [&](const std::string& path, const std::string& body) {
    return HttpClient(server_->http_port()).Call("POST", path, body, {"Content-Type: application/octet-stream"});
  };
  const std::string path = "/v1/snapshots:upload?sha256=" + snapshot["sha256"].get<std::string>();
  EXPECT_GE(upload(path, whole.body.substr(0, whole.body.size() / 2)).code, 400) << "half of it";
  EXPECT_EQ(upload("/v1/snapshots:upload", "").code / 100, 4);
  const HttpAnswer back = upload(path, whole.body);
  EXPECT_EQ(back.code, 200) << back.body;
  EXPECT_EQ(Parse(back)["snapshot"]["sha256"], snapshot["sha256"]);
  EXPECT_EQ(http_.Call("DELETE", "/v1/" + Parse(back)["snapshot"]["name"].get<std::string>()).code, 200);
}

}  // namespace
}  // namespace sightline::testing
