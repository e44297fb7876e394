// Who may call what, how often and how much at once; and that a new keys file changes it without forgetting.
#include "server/security/authoriser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace sightline::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Metadata final : public CallMetadata {
 public:
  explicit Metadata(std::string authorization, std::string certificate = "")
      : authorization_(std::move(authorization)), certificate_(std::move(certificate)) {}
  absl::string_view Header(absl::string_view name) const override {
    return name == "authorization" ? absl::string_view(authorization_) : "";
  }
  std::string Peer() const override { return "test"; }
  std::string CertificateName() const override { return certificate_; }

 private:
  const std::string authorization_;
  const std::string certificate_;
};

std::string Entry(const std::string& name, const std::string& scope, const std::string& more = "") {
  return absl::StrCat(R"({"name": ")", name, R"(", "sha256": ")", base::Sha256Hex(name + "-key"), R"(", "scope": ")",
                      scope, "\"", more.empty() ? "" : ", ", more, "}");
}

class AuthoriserTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteKeys(absl::StrCat(Entry("reader", "read"), ",", Entry("writer", "write"), ",", Entry("admin", "admin"), ",",
                           Entry("old", "admin", R"("expires": "2023-11-14T22:13:30Z")"),
                           ",",  // ten seconds after the clock begins
                           Entry("shop", "admin", R"("collections": ["shop", "shop-*"])"), ",",
                           Entry("slow", "read", R"("rate": {"per_second": 2, "burst": 3})"), ",",
                           Entry("narrow", "read", R"("max_in_flight": 2)"),
                           R"(,{"name": "cert", "certificate": "cn", "scope": "write"})"));
    keys_ = *KeyStore::Open(path_);
    authoriser_ = std::make_unique<Authoriser>(*keys_, metrics_, clock_);
  }

  void WriteKeys(const std::string& entries) {
    ASSERT_TRUE(base::WriteFileDurably(path_, absl::StrCat(R"({"keys": [)", entries, "]}")).ok());
  }

  // A call that has arrived; ends it where it was refused, as the server does.
  absl::Status Arrive(const Metadata& metadata, Access access, const std::string& collection = "",
                      const std::string& method = "SearchService/Search", std::unique_ptr<Request>* kept = nullptr) {
    auto request = std::make_unique<Request>(clock_, clock_.Steady());
    CallInfo& call = *request->mutable_call();
    call.method = method;
    call.access = access;
    call.collection = collection;
    const absl::Status status = authoriser_->Arrived(metadata, &call);
    caller_ = call.caller;
    if (kept != nullptr && status.ok()) {
      *kept = std::move(request);
    } else {
      authoriser_->Ended(*request, status);
    }
    return status;
  }
  static Metadata With(const std::string& name) { return Metadata(absl::StrCat("Bearer ", name, "-key")); }
  static std::string Reason(const absl::Status& status) {
    return status.ok() ? "OK" : base::GetErrorInfo(status).reason;
  }

  const sightline::testing::TempFolder folder_;
  const std::string path_ = folder_.Path("keys.json");
  sightline::testing::FakeClock clock_;
  Metrics metrics_;
  std::unique_ptr<KeyStore> keys_;
  std::unique_ptr<Authoriser> authoriser_;
  std::string caller_;
};

TEST_F(AuthoriserTest, AScopeHoldsTheSmallerOnes) {
  const std::vector<std::string> names = {"reader", "writer", "admin"};
  const std::vector<Access> accesses = {Access::kRead, Access::kWrite, Access::kAdmin};
  for (size_t n = 0; n < names.size(); ++n) {
    for (size_t a = 0; a < accesses.size(); ++a) {
      const absl::Status status = Arrive(With(names[n]), accesses[a], "v");
      EXPECT_EQ(Reason(status), a <= n ? "OK" : "SCOPE_TOO_SMALL") << names[n] << " " << a;
      EXPECT_EQ(caller_, names[n]) << "also of a refused call";
    }
  }
}

TEST_F(AuthoriserTest, WhoIsNotKnownIsTold) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "KEY_MISSING"},
      {"Bearer wrong", "KEY_UNKNOWN"},
      {"Bearer ", "KEY_UNKNOWN"},
      {"reader-key", "KEY_MALFORMED"},
      {"Basic cmVhZGVyOmtleQ==", "KEY_MALFORMED"},
      {"Bearer " + std::string(7000, 'x'), "KEY_MALFORMED"},
      {absl::StrCat("Bearer ", base::Sha256Hex("reader-key")), "KEY_UNKNOWN"},
      {"Bearer READER-KEY", "KEY_UNKNOWN"},
  };
  for (const auto& [header, reason] : cases) {
    const absl::Status status = Arrive(Metadata(header), Access::kRead, "v");
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << header;
    EXPECT_EQ(Reason(status), reason) << header;
    EXPECT_EQ(caller_, "");
  }
  EXPECT_THAT(std::string(Arrive(Metadata("Bearer swordfish"), Access::kRead).message()), Not(HasSubstr("swordfish")));
  EXPECT_TRUE(Arrive(Metadata("bearer  reader-key "), Access::kRead).ok()) << "as HTTP reads it";
  EXPECT_THAT(metrics_.Text(), HasSubstr("sightline_auth_failures_total{reason=\"missing\"} 1"));
}

TEST_F(AuthoriserTest, AKeyEndsAtItsTime) {
  EXPECT_TRUE(Arrive(With("old"), Access::kAdmin).ok());
  clock_.Advance(absl::Seconds(11));
  const absl::Status status = Arrive(With("old"), Access::kRead);
  EXPECT_EQ(Reason(status), "KEY_EXPIRED");
  EXPECT_THAT(std::string(status.message()), HasSubstr("2023-11-14T22:13:30+00:00"));
}

TEST_F(AuthoriserTest, ACertificateStandsForAKeyAndAShownKeyWins) {
  EXPECT_TRUE(Arrive(Metadata("", "cn"), Access::kWrite).ok());
  EXPECT_EQ(caller_, "cert");
  EXPECT_EQ(Reason(Arrive(Metadata("", "cn"), Access::kAdmin)), "SCOPE_TOO_SMALL");
  const absl::Status stranger = Arrive(Metadata("", "other"), Access::kRead);
  EXPECT_EQ(Reason(stranger), "KEY_MISSING");
  EXPECT_THAT(std::string(stranger.message()), HasSubstr("certificate 'other' stands for none"));
  EXPECT_EQ(Reason(Arrive(Metadata("Bearer wrong", "cn"), Access::kRead)), "KEY_UNKNOWN");
  EXPECT_TRUE(Arrive(Metadata("Bearer admin-key", "cn"), Access::kAdmin).ok());
}

TEST_F(AuthoriserTest, AKeyOfSomeCollectionsStaysAmongThem) {
  for (const char* own : {"shop", "shop-2"}) EXPECT_TRUE(Arrive(With("shop"), Access::kAdmin, own).ok()) << own;
  for (const char* other : {"shops", "sho", "v"}) {
    EXPECT_EQ(Reason(Arrive(With("shop"), Access::kRead, other)), "COLLECTION_NOT_GRANTED") << other;
  }
  EXPECT_EQ(Reason(Arrive(With("shop"), Access::kRead, "")), "COLLECTION_NOT_NAMED");
  EXPECT_EQ(Reason(Arrive(With("shop"), Access::kRead, "", "SearchService/Embed")), "COLLECTION_NOT_NAMED");
  EXPECT_TRUE(Arrive(With("shop"), Access::kRead, "", "ServerService/GetServerInfo").ok());
  EXPECT_EQ(Reason(Arrive(With("shop"), Access::kAdmin, "shop", "CollectionService/RestoreSnapshot")),
            "METHOD_NOT_FOR_LIMITED_KEY");
  EXPECT_TRUE(Arrive(With("admin"), Access::kAdmin, "shop", "CollectionService/RestoreSnapshot").ok());
  // A name as long as a message does not come back.
  EXPECT_LT(Arrive(With("shop"), Access::kRead, std::string(1 << 20, 'a')).message().size(), 400u);
  // What an answer may hold.
  std::unique_ptr<Request> request;
  ASSERT_TRUE(Arrive(With("shop"), Access::kRead, "", "CollectionService/ListCollections", &request).ok());
  EXPECT_TRUE(request->call().Covers("shop-9"));
  EXPECT_FALSE(request->call().Covers("v"));
  authoriser_->Ended(*request, absl::OkStatus());
}

TEST_F(AuthoriserTest, ARateFillsItsBucketAgain) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Arrive(With("slow"), Access::kRead).ok()) << i;
  const absl::Status status = Arrive(With("slow"), Access::kRead);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Reason(status), "KEY_RATE");
  EXPECT_EQ(base::GetErrorInfo(status).retry_after, absl::Milliseconds(500));
  EXPECT_TRUE(Arrive(With("reader"), Access::kRead).ok()) << "another key's bucket";
  clock_.Advance(absl::Milliseconds(500));
  EXPECT_TRUE(Arrive(With("slow"), Access::kRead).ok());
  EXPECT_EQ(Reason(Arrive(With("slow"), Access::kRead)), "KEY_RATE");
  clock_.Advance(absl::Hours(1));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Arrive(With("slow"), Access::kRead).ok()) << i;
  EXPECT_EQ(Reason(Arrive(With("slow"), Access::kRead)), "KEY_RATE") << "no more than the burst is saved up";
  EXPECT_THAT(metrics_.Text(), HasSubstr("sightline_rejected_total{reason=\"key_rate\"} 3"));
}

TEST_F(AuthoriserTest, PlacesComeBackWhenCallsEnd) {
  std::unique_ptr<Request> first, second, third;
  ASSERT_TRUE(Arrive(With("narrow"), Access::kRead, "", "SearchService/Search", &first).ok());
  ASSERT_TRUE(Arrive(With("narrow"), Access::kRead, "", "SearchService/Search", &second).ok());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Reason(Arrive(With("narrow"), Access::kRead, "", "SearchService/Search", &third)), "KEY_IN_FLIGHT") << i;
  }
  authoriser_->Ended(*first, absl::OkStatus());
  EXPECT_TRUE(Arrive(With("narrow"), Access::kRead).ok());
  // A new version of the file keeps what is in hand.
  WriteKeys(Entry("narrow", "read", R"("max_in_flight": 1)"));
  ASSERT_TRUE(keys_->Reload().ok());
  EXPECT_EQ(Reason(Arrive(With("narrow"), Access::kRead)), "KEY_IN_FLIGHT");
  authoriser_->Ended(*second, absl::OkStatus());
  EXPECT_TRUE(Arrive(With("narrow"), Access::kRead).ok());
  EXPECT_EQ(keys_->FindKey("narrow-key")->use->in_flight(), 0);
}

TEST_F(AuthoriserTest, ABrokenFileKeepsTheKeysBefore) {
  ASSERT_TRUE(base::WriteFileDurably(path_, "{broken").ok());
  EXPECT_FALSE(keys_->Reload().ok());
  keys_->ReloadIfChanged();
  EXPECT_TRUE(Arrive(With("reader"), Access::kRead).ok());
  std::filesystem::remove(path_);
  keys_->ReloadIfChanged();
  EXPECT_TRUE(Arrive(With("reader"), Access::kRead).ok());
  WriteKeys(Entry("fresh", "read"));
  keys_->ReloadIfChanged();
  EXPECT_TRUE(Arrive(With("fresh"), Access::kRead).ok());
  EXPECT_EQ(Reason(Arrive(With("reader"), Access::kRead)), "KEY_UNKNOWN") << "a key that was taken out";
}

// With a ThreadSanitizer build this is where races would show.
TEST_F(AuthoriserTest, ManyThreadsAndReloadsLoseNoPlace) {
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      const Metadata metadata = With("narrow");
      while (!stop) {
        Request request(clock_, clock_.Steady());
        CallInfo& call = *request.mutable_call();
        call.method = "SearchService/Search";
        call.access = Access::kRead;
        authoriser_->Ended(request, authoriser_->Arrived(metadata, &call));
      }
    });
  }
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(keys_->Reload().ok());
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(keys_->FindKey("narrow-key")->use->in_flight(), 0);
}

}  // namespace
}  // namespace sightline::server
