// Who gets in by HTTP, and as whom: keys, TLS, certificates of clients, other origins, the administrators' address.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "tests/e2e/security/keys_folder.h"
#include "tests/support/certificates.h"
#include "tests/support/http_client.h"
#include "tests/support/server_process.h"

namespace sightline::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr int kPolls = 600;

// What a GET by TLS is answered, headers and all; empty where the handshake fails.
std::string HttpsGet(int port, const std::string& path, const std::string& trusted, const KeyPair& own = {},
                     const std::string& headers = "", int newest = TLS1_3_VERSION) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  const auto read = [](const std::string& pem) {
    return std::unique_ptr<BIO, decltype(&BIO_free)>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                     BIO_free);
  };
  const auto authority = read(trusted);
  const std::unique_ptr<X509, decltype(&X509_free)> root(PEM_read_bio_X509(authority.get(), nullptr, nullptr, nullptr),
                                                         X509_free);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), root.get());
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(context.get(), newest);
  if (!own.key.empty()) {
    const auto certificate = read(own.certificate);
    const auto key = read(own.key);
    const std::unique_ptr<X509, decltype(&X509_free)> mine(
        PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr), X509_free);
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> secret(
        PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
    SSL_CTX_use_certificate(context.get(), mine.get());
    SSL_CTX_use_PrivateKey(context.get(), secret.get());
  }
  BIO* const connection = BIO_new_ssl_connect(context.get());
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> owner(connection, BIO_free_all);
  BIO_set_conn_hostname(connection, absl::StrCat("127.0.0.1:", port).c_str());
  std::signal(SIGPIPE, SIG_IGN);  // of a server that closes while it is written to
  if (BIO_do_handshake(connection) != 1) return "";
  const std::string request =
      absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n", headers, "\r\n");
  BIO_write(connection, request.data(), static_cast<int>(request.size()));
  std::string reply;
  char buffer[4096];
  for (int got; (got = BIO_read(connection, buffer, sizeof(buffer))) > 0;)
    reply.append(buffer, static_cast<size_t>(got));
  return reply;
}

class HttpAccessTest : public ::testing::Test {
 protected:
  void Start(std::vector<std::string> flags) {
    auto server = ServerProcess::Start({.folder = folder_.path(), .flags = std::move(flags)});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void StartTls(const KeyPair& pair, bool client_certificates) {
    folder_.Write("server.pem", pair.certificate);
    folder_.Write("server.key", pair.key);
    folder_.Write("clients.pem", authority_.pem());
    folder_.WriteKeys(
        {KeyEntry("admin", "admin"), R"({"name": "robot", "certificate": "robot.local", "scope": "read"})"});
    std::vector<std::string> flags = {"--api_keys=" + folder_.keys(), "--tls_cert=" + folder_.Path("server.pem"),
                                      "--tls_key=" + folder_.Path("server.key"),
                                      "--audit_log=" + folder_.Path("audit")};
    if (client_certificates) flags.push_back("--tls_client_ca=" + folder_.Path("clients.pem"));
    Start(flags);
  }
  void TearDown() override {
    if (server_ != nullptr) {
      EXPECT_EQ(server_->Terminate(), 0) << server_->Log();
    }
  }
  std::string Audit() const { return base::ReadFile(folder_.Path("audit"), 1 << 20).value_or(""); }

  KeysFolder folder_;
  const Authority authority_{"authority"};
  const Authority stranger_{"stranger"};
  std::unique_ptr<ServerProcess> server_;
};

TEST_F(HttpAccessTest, AsksForKeysAsGrpcDoes) {
  folder_.WriteKeys({KeyEntry("reader", "read", R"("collections": ["mine"])"),
                     KeyEntry("slow", "read", R"("rate": {"per_second": 1, "burst": 1})")});
  ASSERT_NO_FATAL_FAILURE(Start({"--api_keys=" + folder_.keys(), "--audit_log=" + folder_.Path("audit")}));
  HttpClient http(server_->http_port());
  const HttpAnswer missing = http.Get("/v1/collections");
  EXPECT_EQ(missing.code, 401);
  EXPECT_EQ(missing.headers.at("www-authenticate"), "Bearer");
  EXPECT_THAT(missing.body, HasSubstr("KEY_MISSING"));
  EXPECT_EQ(http.Get("/v1/collections", {"Authorization: Bearer wrong"}).code, 401);
  EXPECT_EQ(http.Get("/v1/collections", {"Authorization: Bearer reader-key"}).code, 200);
  EXPECT_EQ(http.Get("/v1/collections/other", {"Authorization: Bearer reader-key"}).code, 403);
  EXPECT_EQ(http.Post("/v1/collections", "{\"name\": \"mine\"}", {"Authorization: Bearer reader-key"}).code, 403);
  EXPECT_EQ(http.Get("/readyz").code, 200) << "probes need none";
  EXPECT_EQ(http.Get("/").code, 200) << "nor does the console's page";
  int refused = 0;
  for (int i = 0; i < 5; ++i) {
    const HttpAnswer answer = http.Get("/v1/collections", {"Authorization: Bearer slow-key"});
    if (answer.code != 429) continue;
    ++refused;
    EXPECT_EQ(answer.headers.at("retry-after"), "1");
  }
  EXPECT_GE(refused, 3);
  // The audit log knows the caller's own address, not the gateway's.
  for (int i = 0; i < kPolls && Audit().find("KEY_MISSING") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_THAT(Audit(), HasSubstr("\"peer\":\"ipv4:127.0.0.1:"));
  // With keys a page that was rebound has none, so any name will do.
  HttpClient named(server_->http_port());
  named.Send("GET /v1/collections HTTP/1.1\r\nHost: photos.example.org\r\nAuthorization: Bearer reader-key\r\n\r\n");
  EXPECT_EQ(named.Read().code, 200);
}

TEST_F(HttpAccessTest, ServesTls) {
  ASSERT_NO_FATAL_FAILURE(StartTls(authority_.Issue("server"), /*client_certificates=*/false));
  const std::string key = "Authorization: Bearer admin-key\r\n";
  EXPECT_THAT(HttpsGet(server_->http_port(), "/readyz", authority_.pem()), HasSubstr("200 OK"));
  EXPECT_THAT(HttpsGet(server_->http_port(), "/v1/collections", authority_.pem(), {}, key), HasSubstr("200 OK"));
  EXPECT_THAT(HttpsGet(server_->http_port(), "/v1/collections", authority_.pem(), {}, key, TLS1_2_VERSION),
              HasSubstr("200 OK"));
  EXPECT_EQ(HttpsGet(server_->http_port(), "/readyz", authority_.pem(), {}, "", TLS1_1_VERSION), "");
  EXPECT_THAT(HttpsGet(server_->http_port(), "/v1/collections", authority_.pem()), HasSubstr("KEY_MISSING"));
  EXPECT_EQ(HttpsGet(server_->http_port(), "/readyz", stranger_.pem()), "") << "the caller does not trust it";
  EXPECT_NE(HttpClient(server_->http_port()).Get("/readyz").code, 200) << "nothing is served without TLS";
  EXPECT_EQ(HttpClient(server_->admin_port()).Get("/readyz").code, 200) << "but to administrators";
  // A new certificate, by another authority, without a restart.
  const KeyPair next = stranger_.Issue("server");
  folder_.Write("server.pem", next.certificate);
  folder_.Write("server.key", next.key);
  bool taken = false;
  for (int i = 0; i < kPolls && !taken; ++i) {
    taken = !HttpsGet(server_->http_port(), "/readyz", stranger_.pem()).empty();
    if (!taken) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_TRUE(taken);
}

TEST_F(HttpAccessTest, DemandsCertificatesOfClients) {
  ASSERT_NO_FATAL_FAILURE(StartTls(authority_.Issue("server"), /*client_certificates=*/true));
  const int port = server_->http_port();
  EXPECT_THAT(HttpsGet(port, "/readyz", authority_.pem()), Not(HasSubstr("200 OK"))) << "none";
  EXPECT_THAT(HttpsGet(port, "/readyz", authority_.pem(), stranger_.Issue("robot.local")), Not(HasSubstr("200 OK")));
  EXPECT_THAT(HttpsGet(port, "/readyz", authority_.pem(), authority_.Issue("robot.local", -1)),
              Not(HasSubstr("200 OK")));
  EXPECT_THAT(HttpsGet(port, "/readyz", authority_.pem(), authority_.Issue("anybody")), HasSubstr("200 OK"));
  // A name of the keys file stands for its key; another one needs a key.
  EXPECT_THAT(HttpsGet(port, "/v1/collections", authority_.pem(), authority_.Issue("robot.local")),
              HasSubstr("200 OK"));
  EXPECT_THAT(HttpsGet(port, "/v1/collections", authority_.pem(), authority_.Issue("anybody")),
              HasSubstr("KEY_MISSING"));
  EXPECT_THAT(HttpsGet(port, "/v1/snapshots", authority_.pem(), authority_.Issue("robot.local")),
              HasSubstr("SCOPE_TOO_SMALL"));
}

TEST_F(HttpAccessTest, AllowsTheOriginsItIsToldOf) {
  ASSERT_NO_FATAL_FAILURE(Start(
      {"--http_allow_origin=https://photos.example.org,http://localhost:3000", "--http_hosts=search.example.org"}));
  HttpClient http(server_->http_port());
  const HttpAnswer allowed = http.Post("/v1/collections:list", "{}", {"Origin: https://photos.example.org"});
  EXPECT_EQ(allowed.code, 200);
  EXPECT_EQ(allowed.headers.at("access-control-allow-origin"), "https://photos.example.org");
  EXPECT_THAT(allowed.headers.at("vary"), HasSubstr("Origin"));
  const HttpAnswer preflight = http.Call("OPTIONS", "/v1/collections:list", "",
                                         {"Origin: http://localhost:3000", "Access-Control-Request-Method: POST",
                                          "Access-Control-Request-Headers: content-type"});
  EXPECT_EQ(preflight.code, 204);
  EXPECT_THAT(preflight.headers.at("access-control-allow-headers"), HasSubstr("Content-Type"));
  EXPECT_EQ(http.Post("/v1/collections:list", "{}", {"Origin: https://evil.example.org"}).code, 403);
  EXPECT_EQ(http.Get("/v1/collections").headers.count("access-control-allow-origin"), 0u);
  HttpClient named(server_->http_port());
  named.Send("GET /v1/collections HTTP/1.1\r\nHost: search.example.org\r\n\r\n");
  EXPECT_EQ(named.Read().code, 200);
}

TEST_F(HttpAccessTest, ServesAdministratorsWhereTheyAre) {
  ASSERT_NO_FATAL_FAILURE(Start({"--admin_grpc_listen=127.0.0.1:0"}));
  const std::string made = R"({"name": "made", "embeddingSpace": "space", "descriptorDim": 4})";
  HttpClient http(server_->http_port());
  const HttpAnswer elsewhere = http.Post("/v1/collections", made);
  EXPECT_EQ(elsewhere.code, 403);
  EXPECT_THAT(elsewhere.body, HasSubstr("ADMIN_ELSEWHERE"));
  HttpClient admin(server_->admin_port());
  EXPECT_EQ(admin.Post("/v1/collections", made).code, 200);
  EXPECT_EQ(admin.Get("/metrics").code, 200);
  EXPECT_EQ(admin.Get("/").code, 404) << "the console is at the other address";
  EXPECT_EQ(http.Get("/v1/collections/made").code, 200);
}

TEST_F(HttpAccessTest, AnswersWhatIsInHandWhenItStops) {
  ASSERT_NO_FATAL_FAILURE(Start({}));
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<HttpClient>(server_->http_port()));
    clients.back()->Send("GET /v1/collections HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  server_->AskToEnd();
  for (const auto& client : clients) {
    HttpAnswer answer = client->Read();
    EXPECT_THAT(answer.code, ::testing::AnyOf(200, 503, 0)) << "0: the connection came too late to be taken";
    if (answer.code == 503) {
      EXPECT_EQ(answer.headers["retry-after"], "1");
    }
  }
  EXPECT_EQ(server_->WaitForEnd(), 0) << server_->Log();
  server_.reset();
}

TEST_F(HttpAccessTest, BodiesHaveTheirTime) {
  ASSERT_NO_FATAL_FAILURE(Start({"--http_body_timeout=1s"}));
  HttpClient slow(server_->http_port());
  slow.Send(
      "POST /v1/collections:list HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 1000\r\n\r\n{");
  bool closed = false;
  for (int i = 0; i < kPolls && !closed; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    closed = !slow.Send(" ");
  }
  EXPECT_TRUE(closed);
  EXPECT_EQ(HttpClient(server_->http_port()).Get("/readyz").code, 200);
}

TEST_F(HttpAccessTest, BodiesInHandAreBounded) {
  // Room for two bodies of half a megabyte, and not for the third that says how long it is.
  ASSERT_NO_FATAL_FAILURE(Start({"--max_message_bytes=65536", "--grpc_memory=65536"}));
  const std::string head =
      "POST /v1/collections:list HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 560000\r\n\r\n";
  std::vector<std::unique_ptr<HttpClient>> holders;
  for (int i = 0; i < 2; ++i) {
    holders.push_back(std::make_unique<HttpClient>(server_->http_port()));
    holders.back()->Send(head + "{" + std::string(500'000, ' '));
  }
  // One that sends nothing of what it promises, and so takes nothing from the two: refused once their bytes are here.
  HttpAnswer refused;
  for (int i = 0; i < 5 && refused.code != 429; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    HttpClient third(server_->http_port());
    third.Send(
        "POST /v1/collections:list HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 1100000\r\n\r\n");
    refused = third.Read();
  }
  EXPECT_EQ(refused.code, 429) << refused.body;
  EXPECT_THAT(refused.body, HasSubstr("BODIES_FULL"));
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  // Those in hand are answered, and make room.
  for (const auto& holder : holders) {
    holder->Send(std::string(59'998, ' ') + "}");
    EXPECT_EQ(holder->Read().code, 200);
  }
  // What is given back is given back when the answer has been sent, which its reader cannot see.
  HttpAnswer fourth;
  for (int i = 0; i < kPolls && fourth.code != 200; ++i) {
    HttpClient client(server_->http_port());
    client.Send(head + "{" + std::string(559'998, ' ') + "}");
    fourth = client.Read();
  }
  EXPECT_EQ(fourth.code, 200) << fourth.body;
  // A body beyond the limit for one is told so, with a length and without.
  EXPECT_EQ(HttpClient(server_->http_port()).Post("/v1/collections:list", std::string(1'300'000, ' ')).code, 413);
  HttpClient chunked(server_->http_port());
  chunked.Send(
      "POST /v1/collections:list HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n" +
      absl::StrFormat("%x\r\n%s\r\n0\r\n\r\n", 1'300'000, std::string(1'300'000, ' ')));
  EXPECT_EQ(chunked.Read().code, 413);
}

TEST_F(HttpAccessTest, SettingsAreChecked) {
  for (const char* flag :
       {"--http_allow_origin=*", "--http_allow_origin=photos.example.org", "--http_body_timeout=0s"}) {
    EXPECT_FALSE(ServerProcess::Start({.folder = folder_.path(), .flags = {flag}}).ok()) << flag;
  }
}

}  // namespace
}  // namespace sightline::testing
