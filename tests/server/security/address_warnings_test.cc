// Every combination of what listens where and what protects it.
#include "server/security/address_warnings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/http/address.h"

namespace sightline::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kEverywhere[] = "0.0.0.0:50051";

TEST(AddressWarningsTest, SayWhatIsOpenInEveryCombination) {
  for (const bool keys : {false, true}) {
    for (const bool tls : {false, true}) {
      for (const bool certificates : {false, true}) {
        if (certificates && !tls) continue;
        Listening listening = {.grpc = kEverywhere, .keys = keys, .tls = tls, .client_certificates = certificates};
        SCOPED_TRACE(::testing::Message() << keys << tls << certificates);
        const auto warnings = AddressWarnings(listening);
        if (tls && (keys || certificates)) {
          EXPECT_THAT(warnings, IsEmpty());
        } else if (tls) {
          EXPECT_THAT(warnings,
                      ElementsAre(AllOf(HasSubstr("with TLS and without keys"), HasSubstr("--tls_client_ca"))));
        } else if (keys) {
          EXPECT_THAT(warnings,
                      ElementsAre(AllOf(HasSubstr("without TLS: whoever can read"), Not(HasSubstr("everyone")))));
        } else {
          EXPECT_THAT(warnings, ElementsAre(AllOf(HasSubstr("without TLS and without keys"), HasSubstr("delete"))));
        }
        listening.grpc = "127.0.0.1:50051";
        EXPECT_THAT(AddressWarnings(listening), IsEmpty()) << "nobody else reaches it";
        listening.admin_grpc = kEverywhere;
        EXPECT_EQ(AddressWarnings(listening).size(), warnings.size()) << "the administrators' address counts alike";
      }
    }
  }
}

TEST(AddressWarningsTest, MetricsHaveWordsOfTheirOwn) {
  const Listening listening = {
      .grpc = "127.0.0.1:1", .admin_http = "0.0.0.0:9464", .keys = true, .tls = true, .client_certificates = true};
  EXPECT_THAT(AddressWarnings(listening), ElementsAre(AllOf(HasSubstr("/metrics"), Not(HasSubstr("delete")))));
}

TEST(AddressWarningsTest, LoopbackIsWhatIsLoopback) {
  for (const char* host : {"localhost", "127.0.0.1", "127.8.8.8", "::1", "0:0:0:0:0:0:0:1"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
  }
  for (const char* host : {"127.example.org", "127.0.0.1.example.org", "0.0.0.0", "::", "10.0.0.1", "128.0.0.1", ""}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

}  // namespace
}  // namespace sightline::server
