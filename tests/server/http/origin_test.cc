#include "server/http/origin.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <variant>

#include "base/status.h"
#include "server/http/site.h"

namespace sightline::server {
namespace {

HttpHead Head(const std::string& method, const std::map<std::string, std::string>& headers,
              const std::string& path = "/v1/x") {
  HttpHead head;
  head.method = method;
  head.path = path;
  for (const auto& [name, value] : headers) head.headers.emplace_back(name, value);
  return head;
}

TEST(OriginTest, KnowsNamesThatNoStrangerCanPointHere) {
  const OriginPolicy policy = {.allowed_origins = {}, .hosts = {"photos.example.org"}};
  for (const char* host : {"localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "10.1.2.3", "sightline:8080",
                           "photos.example.org", "Photos.Example.ORG:8080", "nas.local", "box.lan:80", ""}) {
    EXPECT_TRUE(policy.CheckHost(Head("GET", {{"host", host}})).ok()) << host;
  }
  for (const char* host : {"evil.example.com", "evil.example.com:8080", "photos.example.org.evil.com",
                           "127.0.0.1.evil.com", "localhost.evil.com", "xphotos.example.org", "evil.localx"}) {
    EXPECT_EQ(policy.CheckHost(Head("GET", {{"host", host}})).code(), absl::StatusCode::kPermissionDenied) << host;
  }
  const OriginPolicy with_keys = {.allowed_origins = {}, .hosts = {}, .any_host = true};
  EXPECT_TRUE(with_keys.CheckHost(Head("GET", {{"host", "evil.example.com"}})).ok());
}

TEST(OriginTest, LetsOwnAndAllowedOriginsIn) {
  const OriginPolicy policy = {.allowed_origins = {"https://photos.example.org"}, .hosts = {}};
  const auto check = [&](const std::string& origin, const char* host = "127.0.0.1:8080") {
    return policy.CheckOrigin(Head("POST", {{"host", host}, {"origin", origin}})).ok();
  };
  EXPECT_TRUE(check("http://127.0.0.1:8080"));
  EXPECT_TRUE(check("https://127.0.0.1:8080"));
  EXPECT_TRUE(check("https://photos.example.org"));
  for (const char* origin : {"null", "http://127.0.0.1", "http://127.0.0.1:8081", "http://photos.example.org",
                             "https://photos.example.org:444", "https://photos.example.org.evil.com", "file://", "*"}) {
    EXPECT_FALSE(check(origin)) << origin;
  }
  EXPECT_TRUE(policy.CheckOrigin(Head("POST", {{"host", "a"}})).ok());
  EXPECT_FALSE(policy.CheckOrigin(Head("POST", {{"host", "a"}, {"sec-fetch-site", "cross-site"}})).ok());
}

TEST(OriginTest, WritesMustComeInAWayThatPagesMustAskFor) {
  const OriginPolicy policy;
  const auto check = [&](const std::map<std::string, std::string>& headers) {
    return policy.CheckWrite(Head("POST", headers)).ok();
  };
  EXPECT_TRUE(check({{"content-type", "application/json; charset=utf-8"}}));
  EXPECT_TRUE(check({{"content-type", "multipart/form-data; boundary=x"}, {"x-requested-with", "curl"}}));
  EXPECT_TRUE(check({{"content-type", "multipart/form-data; boundary=x"}, {"authorization", "Bearer x"}}));
  EXPECT_TRUE(check({{"content-type", "multipart/form-data; boundary=x"}, {"origin", "http://here"}}));
  for (const char* type : {"", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded",
                           "text/plain; application/json"}) {
    EXPECT_FALSE(check({{"content-type", type}})) << type;
  }
}

TEST(OriginTest, SettingsAreWholeOrigins) {
  for (const char* good : {"https://a.example.org", "http://localhost:3000", "http://[::1]:80"}) {
    EXPECT_TRUE(CheckOriginSetting(good).ok()) << good;
  }
  for (const char* bad :
       {"*", "null", "https://", "https://a/", "a.example.org", "https://a.example.org/x", "https://*.a"}) {
    EXPECT_EQ(base::GetErrorInfo(CheckOriginSetting(bad)).reason, "ORIGIN_INVALID") << bad;
  }
}

class Echo final : public HttpHandler {
 public:
  std::variant<HttpReply, std::shared_ptr<HttpCall>> Begin(const HttpHead&, Waker) override {
    return HttpReply{.code = 299};
  }
};

class SiteTest : public ::testing::Test {
 protected:
  int Code(const HttpHead& head) {
    return std::get<HttpReply>(site_.Begin(head, [] {})).code;
  }

  Pages pages_{{{"/healthz", [] { return HttpReply{}; }}, {"/metrics", [] { return HttpReply{}; }}}};
  Echo api_;
  Site site_{{.allowed_origins = {"https://ok.example.org"}, .hosts = {}}, &pages_, &api_, nullptr};
};

TEST_F(SiteTest, RefusesWhatTwoReadersReadDifferently) {
  EXPECT_EQ(Code(Head("GET", {})), 299);
  EXPECT_EQ(Code(Head("GET", {{"content-length", "3"}, {"transfer-encoding", "chunked"}})), 400);
  EXPECT_EQ(Code(Head("GET", {{"transfer-encoding", "gzip, chunked"}})), 400);
  EXPECT_EQ(Code(Head("GET", {{"transfer-encoding", "identity"}})), 400);
  HttpHead twice = Head("GET", {{"content-length", "3"}});
  twice.headers.emplace_back("content-length", "3");
  EXPECT_EQ(Code(twice), 400);
  HttpHead hosts = Head("GET", {{"host", "a"}});
  hosts.headers.emplace_back("host", "b");
  EXPECT_EQ(Code(hosts), 400);
  EXPECT_EQ(Code(Head("GET", {{"x", std::string("a\0b", 3)}})), 400);
  EXPECT_EQ(Code(Head("GET", {{"x", "a\rb"}})), 400);
  EXPECT_EQ(Code(Head("GET", {{"content-length ", "3"}})), 400);
  EXPECT_EQ(Code(Head("GET", {}, "http://other/v1/x")), 400);
}

TEST_F(SiteTest, ServesEachItsOwn) {
  EXPECT_EQ(Code(Head("GET", {{"host", "evil.example.com"}}, "/healthz")), 200);
  EXPECT_EQ(Code(Head("GET", {{"host", "evil.example.com"}}, "/metrics")), 403) << "names of collections";
  EXPECT_EQ(Code(Head("GET", {{"host", "localhost"}, {"origin", "https://evil.example.org"}}, "/metrics")), 403);
  EXPECT_EQ(Code(Head("GET", {{"host", "10.0.0.7:9464"}}, "/metrics")), 200);
  EXPECT_EQ(Code(Head("GET", {{"host", "evil.example.com"}})), 403);
  EXPECT_EQ(Code(Head("GET", {}, "/v1")), 404);
  EXPECT_EQ(Code(Head("GET", {}, "/nothing")), 404);
  EXPECT_EQ(Code(Head("POST", {{"content-type", "text/plain"}})), 415);
  EXPECT_EQ(Code(Head("OPTIONS", {{"origin", "https://ok.example.org"}})), 204);
  EXPECT_EQ(Code(Head("OPTIONS", {{"origin", "https://evil.example.org"}})), 403);
}

TEST_F(SiteTest, TellsBrowsersOnlyOfAllowedOrigins) {
  const auto allowed = [&](const std::map<std::string, std::string>& headers) {
    HttpReply reply;
    site_.Complete(Head("GET", headers), &reply);
    for (const auto& [name, value] : reply.headers) {
      if (name == "Access-Control-Allow-Origin") return value;
    }
    return std::string();
  };
  EXPECT_EQ(allowed({{"origin", "https://ok.example.org"}}), "https://ok.example.org");
  EXPECT_EQ(allowed({{"origin", "https://evil.example.org"}}), "");
  EXPECT_EQ(allowed({}), "");
}

}  // namespace
}  // namespace sightline::server
