// TLS: who is let in with which certificate, and certificates that change while the server runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "base/status.h"
#include "client/cpp/client.h"
#include "tests/e2e/security/generic_call.h"
#include "tests/e2e/security/keys_folder.h"
#include "tests/support/certificates.h"
#include "tests/support/server_process.h"

namespace sightline::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The promise is 60 s.
constexpr int kReloadPolls = 600;

class TlsTest : public ::testing::Test {
 protected:
  void Serve(const KeyPair& pair) {
    folder_.Write("server.pem", pair.certificate);
    folder_.Write("server.key", pair.key);
  }
  void Start(const KeyPair& pair, bool client_certificates) {
    Serve(pair);
    folder_.Write("clients.pem", authority_.pem());
    folder_.WriteKeys(
        {KeyEntry("admin", "admin"), R"({"name": "robot", "certificate": "robot.local", "scope": "read"})"});
    std::vector<std::string> flags = {"--api_keys=" + folder_.keys(), "--tls_cert=" + folder_.Path("server.pem"),
                                      "--tls_key=" + folder_.Path("server.key")};
    if (client_certificates) flags.push_back("--tls_client_ca=" + folder_.Path("clients.pem"));
    auto server = ServerProcess::Start({.folder = folder_.path(), .flags = flags});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  // What GetServerInfo answers to a new connection; `name` names a key, or is empty.
  absl::Status Ask(const Authority& trusted, const std::string& name, const KeyPair& pair = {}) {
    client::Client::Options options;
    options.address = server_->address();
    options.tls_ca = trusted.pem();
    options.tls_certificate = pair.certificate;
    options.tls_key = pair.key;
    if (!name.empty()) options.api_key = name + "-key";
    return (*client::Client::Connect(options))->GetServerInfo().status();
  }
  static std::string ReasonOf(const absl::Status& status) {
    return status.ok() ? "OK" : base::GetErrorInfo(status).reason;
  }

  const Authority authority_{"authority"};
  const Authority other_{"another authority"};
  KeysFolder folder_;
  std::unique_ptr<ServerProcess> server_;
};

TEST_F(TlsTest, ServesWithTlsAndRefusesWithout) {
  ASSERT_NO_FATAL_FAILURE(Start(authority_.Issue("server"), /*client_certificates=*/false));
  EXPECT_TRUE(Ask(authority_, "admin").ok()) << Ask(authority_, "admin");
  EXPECT_EQ(ReasonOf(Ask(authority_, "")), "KEY_MISSING");
  EXPECT_EQ(ReasonOf(Ask(authority_, "unknown")), "KEY_UNKNOWN");
  EXPECT_EQ(ReasonOf(Ask(other_, "admin")), "SERVER_UNREACHABLE") << "a client that trusts somebody else";
  const auto plain = *client::Client::Connect({.address = server_->address(), .api_key = "admin-key"});
  EXPECT_EQ(ReasonOf(plain->GetServerInfo().status()), "SERVER_UNREACHABLE");
  EXPECT_EQ(server_->Terminate(), 0) << server_->Log();
}

TEST_F(TlsTest, ClientsShowCertificatesWhereTheyMust) {
  ASSERT_NO_FATAL_FAILURE(Start(authority_.Issue("server"), /*client_certificates=*/true));
  EXPECT_EQ(ReasonOf(Ask(authority_, "admin")), "SERVER_UNREACHABLE") << "no certificate";
  EXPECT_EQ(ReasonOf(Ask(authority_, "admin", other_.Issue("robot.local"))), "SERVER_UNREACHABLE") << "wrong authority";
  EXPECT_EQ(ReasonOf(Ask(authority_, "admin", authority_.Issue("robot.local", -1))), "SERVER_UNREACHABLE") << "ended";
  const KeyPair robot = authority_.Issue("robot.local");
  EXPECT_TRUE(Ask(authority_, "", robot).ok()) << Ask(authority_, "", robot);
  const KeyPair stranger = authority_.Issue("stranger.local");
  const absl::Status refused = Ask(authority_, "", stranger);
  EXPECT_EQ(ReasonOf(refused), "KEY_MISSING");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("certificate 'stranger.local' stands for none"));
  EXPECT_TRUE(Ask(authority_, "admin", stranger).ok());

  // The certificate's scope holds for every method.
  const auto credentials = grpc::SslCredentials(
      {.pem_root_certs = authority_.pem(), .pem_private_key = robot.key, .pem_cert_chain = robot.certificate});
  GenericCall call(server_->address(), credentials);
  EXPECT_EQ(ReasonOf(call.Run("IndexService/Index", "v", {})), "SCOPE_TOO_SMALL");
  EXPECT_EQ(ReasonOf(call.Run("CollectionService/DeleteCollection", "v", {})), "SCOPE_TOO_SMALL");
  EXPECT_EQ(ReasonOf(call.Run("CollectionService/GetCollection", "v", {})), "COLLECTION_NOT_FOUND");
  EXPECT_EQ(server_->Terminate(), 0) << server_->Log();
}

TEST_F(TlsTest, ANewCertificateIsServedAndABrokenOneIsNot) {
  ASSERT_NO_FATAL_FAILURE(Start(authority_.Issue("server"), /*client_certificates=*/false));
  const auto steady =
      *client::Client::Connect({.address = server_->address(), .tls_ca = authority_.pem(), .api_key = "admin-key"});
  ASSERT_TRUE(steady->GetServerInfo().ok());

  // Half of a new pair is no pair: nothing changes until the other half is there.
  const KeyPair fresh = other_.Issue("server");
  folder_.Write("server.pem", fresh.certificate);
  const auto wait_for_log = [&](const std::string& words) {
    for (int i = 0; i < kReloadPolls && !absl::StrContains(server_->Log(), words); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return absl::StrContains(server_->Log(), words);
  };
  EXPECT_TRUE(wait_for_log("is not the certificate of the key")) << server_->Log();
  EXPECT_TRUE(Ask(authority_, "admin").ok());

  folder_.Write("server.key", fresh.key);
  bool served = false;
  for (int i = 0; i < kReloadPolls && !served; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    served = Ask(other_, "admin").ok();
  }
  EXPECT_TRUE(served) << server_->Log();
  EXPECT_EQ(ReasonOf(Ask(authority_, "admin")), "SERVER_UNREACHABLE") << "the old one is not served any more";
  EXPECT_TRUE(steady->GetServerInfo().ok()) << "connections that are there go on";

  folder_.Write("server.pem", "-----BEGIN CERTIFICATE-----\nbroken");
  EXPECT_TRUE(wait_for_log("server.pem holds ")) << server_->Log();
  // Longer than gRPC takes to look at what it was given.
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  EXPECT_TRUE(Ask(other_, "admin").ok()) << "the last good one stays";
  EXPECT_EQ(server_->Terminate(), 0) << server_->Log();
}

TEST_F(TlsTest, AServerDoesNotStartWithABrokenPair) {
  const KeyPair pair = authority_.Issue("server");
  Serve({.certificate = pair.certificate, .key = authority_.Issue("server").key});
  const auto start = [&](const std::vector<std::string>& flags) {
    return std::string(ServerProcess::Start({.folder = folder_.path(), .flags = flags}).status().message());
  };
  const std::string certificate = "--tls_cert=" + folder_.Path("server.pem");
  const std::string key = "--tls_key=" + folder_.Path("server.key");
  EXPECT_THAT(start({certificate, key}), HasSubstr("is not the certificate of the key"));
  EXPECT_THAT(start({certificate}), HasSubstr("--tls_cert is given and --tls_key is not"));
  EXPECT_THAT(start({key}), HasSubstr("--tls_key is given and --tls_cert is not"));
  EXPECT_THAT(start({"--tls_client_ca=" + folder_.Path("server.pem")}),
              HasSubstr("--tls_client_ca is given and --tls_cert is not"));
}

// The oldest version that a handshake may end with.
TEST_F(TlsTest, SpeaksNothingOlderThanTls12) {
  ASSERT_NO_FATAL_FAILURE(Start(authority_.Issue("server"), /*client_certificates=*/false));
  const auto handshake = [&](int newest) {
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.get(), newest);
    SSL_CTX_set_cipher_list(context.get(), "ALL");
    const unsigned char h2[] = {2, 'h', '2'};
    SSL_CTX_set_alpn_protos(context.get(), h2, sizeof(h2));
    BIO* const connection = BIO_new_ssl_connect(context.get());
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> owner(connection, BIO_free_all);
    BIO_set_conn_hostname(connection, server_->address().c_str());
    return BIO_do_handshake(connection) == 1;
  };
  EXPECT_TRUE(handshake(TLS1_3_VERSION));
  EXPECT_TRUE(handshake(TLS1_2_VERSION));
  EXPECT_FALSE(handshake(TLS1_1_VERSION));
}

TEST(ClientTlsTest, SaysWhatIsIncomplete) {
  const auto words = [](client::Client::Options options) {
    return std::string(client::Client::Connect(std::move(options)).status().message());
  };
  const Authority authority("authority");
  const KeyPair pair = authority.Issue("client");
  EXPECT_THAT(words({.tls_ca = authority.pem(), .tls_certificate = pair.certificate}), HasSubstr("one is missing"));
  EXPECT_THAT(words({.tls_certificate = pair.certificate, .tls_key = pair.key}), HasSubstr("no authority"));
  EXPECT_THAT(words({.api_key = "a b"}), HasSubstr("no key has"));
}

}  // namespace
}  // namespace sightline::testing
