#include "server/http/static_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <map>
#include <string>

namespace sightline::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Unpack(const std::string& packed, size_t size) {
  std::string out(size, '\0');
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  inflateEnd(&stream);
  return out;
}

class StaticFilesTest : public ::testing::Test {
 protected:
  static HttpHead Head(const std::string& path, const std::map<std::string, std::string>& headers = {}) {
    HttpHead head;
    head.method = "GET";
    head.path = path;
    for (const auto& [name, value] : headers) head.headers.emplace_back(name, value);
    return head;
  }
  static std::string Header(const HttpReply& reply, const std::string& name) {
    for (const auto& [key, value] : reply.headers) {
      if (key == name) return value;
    }
    return "";
  }

  const std::string script_ = std::string(5000, 'x');
  const std::array<EmbeddedFile, 2> embedded_ = {{{"/index.html", "<p>"}, {"/app.js", script_}}};
  const StaticFiles files_{embedded_};
};

TEST_F(StaticFilesTest, ServesWhatThereIs) {
  const auto page = files_.Find(Head("/"));
  ASSERT_TRUE(page.has_value());
  EXPECT_EQ(*page->shared_body, "<p>");
  EXPECT_EQ(page->content_type, "text/html; charset=utf-8");
  EXPECT_THAT(Header(*page, "Content-Security-Policy"), HasSubstr("default-src 'none'"));
  EXPECT_THAT(Header(*page, "Content-Security-Policy"), HasSubstr("require-trusted-types-for 'script'"));
  EXPECT_THAT(Header(*page, "Content-Security-Policy"), Not(HasSubstr("unsafe")));
  EXPECT_THAT(Header(*page, "Content-Security-Policy"), HasSubstr("frame-ancestors 'none'"));
  EXPECT_FALSE(files_.Find(Head("/../index.html")).has_value());
  EXPECT_FALSE(files_.Find(Head("/index.html/")).has_value());
  HttpHead post = Head("/app.js");
  post.method = "POST";
  EXPECT_EQ(files_.Find(post)->code, 405);
}

TEST_F(StaticFilesTest, PacksWhereThatIsWanted) {
  const auto packed = files_.Find(Head("/app.js", {{"accept-encoding", "br, gzip;q=0.8"}}));
  EXPECT_EQ(Header(*packed, "Content-Encoding"), "gzip");
  EXPECT_EQ(Unpack(*packed->shared_body, script_.size()), script_);
  EXPECT_EQ(Header(*files_.Find(Head("/app.js", {{"accept-encoding", "GZIP"}})), "Content-Encoding"), "gzip");
  for (const char* refused : {"", "br", "gzip;q=0", "gzip; q=0.000", "gzip;q=x", "xgzip"}) {
    EXPECT_EQ(*files_.Find(Head("/app.js", {{"accept-encoding", refused}}))->shared_body, script_) << refused;
  }
  EXPECT_EQ(Header(*files_.Find(Head("/", {{"accept-encoding", "gzip"}})), "Content-Encoding"), "") << "no shorter";
}

TEST_F(StaticFilesTest, IsNotSentTwice) {
  const std::string tag = Header(*files_.Find(Head("/app.js")), "ETag");
  EXPECT_EQ(files_.Find(Head("/app.js", {{"if-none-match", tag}}))->code, 304);
  EXPECT_EQ(files_.Find(Head("/app.js", {{"if-none-match", "\"other\", W/" + tag}}))->code, 304);
  EXPECT_EQ(files_.Find(Head("/app.js", {{"if-none-match", "*"}}))->code, 304);
  for (const std::string& other : {std::string("\"other\""), tag.substr(1), "x" + tag}) {
    EXPECT_EQ(files_.Find(Head("/app.js", {{"if-none-match", other}}))->code, 200) << other;
  }
  const std::string packed = Header(*files_.Find(Head("/app.js", {{"accept-encoding", "gzip"}})), "ETag");
  EXPECT_NE(packed, tag);
}

TEST(EmbeddedFilesTest, HoldTheConsole) {
  bool found = false;
  for (const EmbeddedFile& file : EmbeddedFiles()) {
    found = found || (file.path == "/index.html" && !file.content.empty());
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace sightline::server
