// Any request to the JSON gateway, through the real listener: line 1 is the verb and the address, lines follow that are
// headers, then an empty one and the body. How long the body is, the target says, as no mutation would; what stands
// behind the gateway is a stand-in that reads each message as its method does, and answers.
//
// What comes back is JSON, or the bytes of an image or a snapshot, and whole; an error has a reason, and is never the
// gateway's own fault.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "server/http/transcode.h"
#include "sightline/v1/collection_service.pb.h"
#include "sightline/v1/index_service.pb.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/support/http_client.h"
#include "tests/support/stub_api.h"

namespace sightline::server {
namespace {

using google::protobuf::Message;
using Json = nlohmann::json;

// What the gateway has made of a request is a message of the method; it goes back as an image, a snapshot or an error.
absl::StatusOr<std::string> Answer(const testing::StubApi::Message& given) {
  const std::unique_ptr<Message> request = NewMessage(given.method->input_type());
  testing::Expect(request->ParseFromString(given.bytes));
  const std::unique_ptr<Message> answer = NewMessage(given.method->output_type());
  if (const auto* image = dynamic_cast<const v1::GetImageRequest*>(request.get())) {
    v1::ImageRecord& record = *static_cast<v1::GetImageResponse&>(*answer).mutable_image();
    record.set_id(image->id());
    record.set_image_mime_type(image->collection());
    record.set_image(image->id());
    record.set_sha256(given.bytes);
  } else if (const auto* part = dynamic_cast<v1::DownloadSnapshotResponse*>(answer.get())) {
    auto& piece = const_cast<v1::DownloadSnapshotResponse&>(*part);
    piece.set_data(given.bytes);
    piece.set_offset(static_cast<const v1::DownloadSnapshotRequest&>(*request).offset());
    piece.set_total_bytes(piece.offset() + static_cast<int64_t>(given.bytes.size()));
  } else if (given.bytes.size() % 4 == 3) {
    return base::NotFound("NOTHING_THERE", absl::StrCat("there is no ", given.bytes, ". Ask for another."),
                          {{"actual", given.bytes}});
  }
  return answer->SerializeAsString();
}

void CheckJson(absl::string_view text, int code) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  testing::Expect(!json.is_discarded() && json.is_object());
  if (!json.contains("error")) return testing::Expect(code == 200);
  const Json& error = json["error"];
  // The last line of a stream has the code that it would have had alone.
  testing::Expect(code == 200 || error["code"] == code);
  testing::Expect(error["code"] >= 400 && error["code"] < 500 && error["status"] != "UNKNOWN");
  testing::Expect(!error["message"].get<std::string>().empty());
  testing::Expect(!error["details"][0]["reason"].get<std::string>().empty());
}

void CheckHttpAnswer(testing::HttpAnswer answer) {
  if (answer.code < 100 || answer.code >= 500) {
    std::fprintf(stderr, "the answer is %d: '%s'\n", answer.code, answer.body.c_str());
    std::abort();
  }
  const std::string& type = answer.headers["content-type"];
  // libmicrohttpd's own words, of what it does not read.
  if (absl::StartsWith(answer.body, "<html>")) return testing::Expect(answer.code >= 400 && type.empty());
  testing::Expect(answer.headers["x-content-type-options"] == "nosniff");
  testing::Expect(!answer.headers.contains("access-control-allow-origin"));
  if (answer.code == 304 || answer.body.empty()) return;
  testing::Expect(answer.whole);
  if (type == "application/json") return CheckJson(answer.body, answer.code);
  if (type != "application/x-ndjson" && type != "text/event-stream") return;
  for (absl::string_view line : absl::StrSplit(answer.body, '\n', absl::SkipEmpty())) {
    if (type == "text/event-stream" && !absl::ConsumePrefix(&line, "data: ")) {
      testing::Expect(line == "event: error");
      continue;
    }
    CheckJson(line, answer.code);
  }
}

// Other ones are libmicrohttpd's to refuse, by an answer or without.
bool IsRequestLine(absl::string_view verb, absl::string_view address) {
  const auto plain = [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7F; };
  return !verb.empty() && std::all_of(verb.begin(), verb.end(), absl::ascii_isupper) &&
         absl::StartsWith(address, "/") && std::all_of(address.begin(), address.end(), plain);
}

// A header that is one, and none of those that say where the body and the connection end: they are the target's.
bool IsUsualHeader(absl::string_view line) {
  const std::string name = absl::AsciiStrToLower(line.substr(0, line.find(':')));
  for (const char* framing : {"content-length", "transfer-encoding", "connection", "expect", "host", "upgrade"}) {
    if (name == framing) return false;
  }
  return name.size() < line.size() && !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-';
         });
}

}  // namespace
}  // namespace sightline::server

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  static testing::StubGateway world({}, &server::Answer);
  const absl::string_view input = testing::View(data, size);
  const size_t end = input.find("\n\n");
  if (end == absl::string_view::npos) return size == 0 ? 0 : -1;
  const absl::string_view body = input.substr(end + 2);
  const std::pair<absl::string_view, absl::string_view> head =
      absl::StrSplit(input.substr(0, end), absl::MaxSplits('\n', 1));
  const std::pair<absl::string_view, absl::string_view> line = absl::StrSplit(head.first, absl::MaxSplits(' ', 1));
  if (!server::IsRequestLine(line.first, line.second) || absl::StrContains(head.second, '\r')) return -1;
  std::string text = absl::StrCat(head.first, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
  for (const absl::string_view header : absl::StrSplit(head.second, '\n', absl::SkipEmpty())) {
    if (!server::IsUsualHeader(header)) return -1;
    absl::StrAppend(&text, header, "\r\n");
  }
  absl::StrAppend(&text, "Content-Length: ", body.size(), "\r\n\r\n", body);
  testing::HttpClient http(world.port());
  http.Send(text);
  const testing::HttpAnswer answer = http.Read(line.first == "HEAD");
  server::CheckHttpAnswer(answer);
  return 0;
}
