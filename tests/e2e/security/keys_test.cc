// Keys in use: what a limited one sees, rates, new files, the audit log, headers beyond all measure, and the programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "client/cli/run.h"
#include "client/cpp/client.h"
#include "tests/e2e/security/generic_call.h"
#include "tests/e2e/security/keys_folder.h"
#include "tests/e2e/server_fixture.h"
#include "tests/support/server_process.h"

namespace sightline::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string ReasonOf(const absl::Status& status) { return status.ok() ? "OK" : base::GetErrorInfo(status).reason; }

class KeysTest : public ::testing::Test {
 protected:
  void Start(std::vector<std::string> entries, std::vector<std::string> flags = {}) {
    folder_.WriteKeys(entries);
    flags.push_back("--api_keys=" + folder_.keys());
    auto server = ServerProcess::Start({.folder = folder_.path(), .flags = flags});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::unique_ptr<client::Client> As(const std::string& name) {
    return *client::Client::Connect({.address = server_->address(), .api_key = name + "-key"});
  }
  // Until a call with the key ends as it should, 20 s at most.
  bool Becomes(const std::string& name, const std::string& reason) {
    const auto client = As(name);
    for (int i = 0; i < 400; ++i) {
      if (ReasonOf(client->GetServerInfo().status()) == reason) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }

  KeysFolder folder_;
  std::unique_ptr<ServerProcess> server_;
};

TEST_F(KeysTest, ALimitedKeySeesItsOwn) {
  ASSERT_NO_FATAL_FAILURE(
      Start({KeyEntry("admin", "admin"), KeyEntry("shop", "admin", R"("collections": ["shop*"])")}));
  const auto admin = As("admin");
  for (const char* name : {"other", "shop", "shop-2", "zoo"}) {
    ASSERT_TRUE(admin->CreateCollection(NewCollection(name)).ok());
  }
  v1::OptimizeCollectionRequest optimize;
  optimize.set_name("other");
  const auto foreign = admin->OptimizeCollection(optimize);
  ASSERT_TRUE(foreign.ok()) << foreign.status();
  optimize.set_name("shop");
  const auto own = admin->OptimizeCollection(optimize);
  ASSERT_TRUE(own.ok()) << own.status();

  const auto shop = As("shop");
  std::vector<std::string> names;
  const auto collections = shop->ListAllCollections();
  ASSERT_TRUE(collections.ok()) << collections.status();
  for (const auto& collection : *collections) names.push_back(collection.name());
  EXPECT_THAT(names, ElementsAre("shop", "shop-2"));
  v1::ListCollectionsRequest one_by_one;
  one_by_one.set_page_size(1);
  const auto page = shop->ListCollections(one_by_one);
  EXPECT_EQ(page->collections(0).name(), "shop");
  one_by_one.set_page_token(page->next_page_token());
  EXPECT_EQ(shop->ListCollections(one_by_one)->collections(0).name(), "shop-2");

  EXPECT_TRUE(shop->GetOperation(own->name()).ok());
  // The same words as for one that is not there.
  const absl::Status hidden = shop->GetOperation(foreign->name()).status();
  EXPECT_EQ(ReasonOf(hidden), "OPERATION_NOT_FOUND");
  EXPECT_EQ(ReasonOf(shop->CancelOperation(foreign->name()).status()), "OPERATION_NOT_FOUND");
  const auto operations = shop->ListOperations({});
  ASSERT_EQ(operations->operations_size(), 1);
  EXPECT_EQ(operations->operations(0).collection(), "shop");
  // Errors name no collection of others.
  const absl::Status missing = shop->GetCollection("shop-9").status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), Not(HasSubstr("zoo")));
  EXPECT_EQ(ReasonOf(shop->CreateCollection(NewCollection("mine")).status()), "COLLECTION_NOT_GRANTED");
  EXPECT_TRUE(shop->CreateCollection(NewCollection("shop-3")).ok());
}

TEST_F(KeysTest, ARateIsHeldAndTold) {
  ASSERT_NO_FATAL_FAILURE(
      Start({KeyEntry("slow", "read", R"("rate": {"per_second": 0.01, "burst": 3})"), KeyEntry("fast", "read")}));
  GenericCall call(server_->address(), grpc::InsecureChannelCredentials());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(call.Run("ServerService/GetServerInfo", "", Bearer("slow")).ok()) << i;
  const absl::Status refused = call.Run("ServerService/GetServerInfo", "", Bearer("slow"));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused), "KEY_RATE");
  EXPECT_GT(base::GetErrorInfo(refused).retry_after, absl::Seconds(80));
  EXPECT_TRUE(call.Run("ServerService/GetServerInfo", "", Bearer("fast")).ok());
}

TEST_F(KeysTest, AChangedFileIsReadAndABrokenOneIsNot) {
  ASSERT_NO_FATAL_FAILURE(Start({KeyEntry("first", "read")}));
  EXPECT_TRUE(As("first")->GetServerInfo().ok());
  EXPECT_EQ(ReasonOf(As("second")->GetServerInfo().status()), "KEY_UNKNOWN");
  folder_.WriteKeys({KeyEntry("second", "read")});
  EXPECT_TRUE(Becomes("second", "OK")) << server_->Log();
  EXPECT_TRUE(Becomes("first", "KEY_UNKNOWN"));
  // A broken file, by the signal so that the server has certainly looked at it.
  folder_.Write("keys.json", "{\"keys\": [");
  server_->Signal(SIGHUP);
  for (int i = 0; i < 400 && server_->Log().find("keys not read again") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
  EXPECT_THAT(server_->Log(), HasSubstr("keys not read again: those before stay in force"));
  EXPECT_TRUE(As("second")->GetServerInfo().ok());
  folder_.WriteKeys({KeyEntry("third", "read")});
  server_->Signal(SIGHUP);
  EXPECT_TRUE(Becomes("third", "OK")) << server_->Log();
  EXPECT_EQ(server_->Terminate(), 0) << server_->Log();
}

TEST_F(KeysTest, AServerDoesNotStartWithABrokenFile) {
  folder_.Write("keys.json", R"({"keys": [{"name": "a", "scope": "reed"}]})");
  const auto server = ServerProcess::Start({.folder = folder_.path(), .flags = {"--api_keys=" + folder_.keys()}});
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("has a scope that is none of read, write and admin"));
}

TEST_F(KeysTest, HeadersBeyondAllMeasureAreRefused) {
  ASSERT_NO_FATAL_FAILURE(Start({KeyEntry("reader", "read")}));
  const auto run = [&](const Headers& headers) {
    GenericCall call(server_->address(), grpc::InsecureChannelCredentials());
    return call.Run("ServerService/GetServerInfo", "", headers);
  };
  // gRPC answers, or ends the connection when more of the headers comes after its answer.
  const auto refused = ::testing::AnyOf(absl::StatusCode::kResourceExhausted, absl::StatusCode::kUnavailable);
  const std::string large(64 << 10, 'a');
  EXPECT_THAT(run({{"authorization", "Bearer " + large}}).code(), refused);
  Headers headers = Bearer("reader");
  headers.emplace_back("x-large", large);
  EXPECT_THAT(run(headers).code(), refused);
  headers = Bearer("reader");
  for (int i = 0; i < 2000; ++i) headers.emplace_back("x-many-" + std::to_string(i), std::string(20, 'b'));
  EXPECT_THAT(run(headers).code(), refused);
  EXPECT_TRUE(run(Bearer("reader")).ok());
  EXPECT_EQ(ReasonOf(run({{"authorization", "Bearer " + std::string(4000, 'a')}})), "KEY_MALFORMED");
  EXPECT_EQ(server_->Terminate(), 0) << server_->Log();
}

TEST_F(KeysTest, TheAuditLogHasWhatChangedAndWhoWasRefused) {
  const std::string log = folder_.Path("audit.log");
  ASSERT_NO_FATAL_FAILURE(Start({KeyEntry("admin", "admin"), KeyEntry("reader", "read")}, {"--audit_log=" + log}));
  const auto admin = As("admin");
  ASSERT_TRUE(admin->CreateCollection(NewCollection("v")).ok());
  ASSERT_TRUE(admin->Index(NewImage("a", {1, 0, 0, 0})).ok());
  ASSERT_TRUE(admin->Search(NewSearch({1, 0, 0, 0})).ok());
  EXPECT_FALSE(As("reader")->Index(NewImage("b", {1, 0, 0, 0})).ok());
  EXPECT_FALSE(As("nobody")->GetServerInfo().ok());
  const std::string old = folder_.Path("audit.1");
  const auto lines_of = [](const std::string& path) {
    std::vector<nlohmann::json> lines;
    for (const absl::string_view line : absl::StrSplit(*base::ReadFile(path, 1 << 20), '\n', absl::SkipEmpty())) {
      lines.push_back(nlohmann::json::parse(line.begin(), line.end()));
    }
    return lines;
  };
  // The lines above are written within moments; rotation must lose none of them.
  for (int i = 0; i < 400 && lines_of(log).size() < 4; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::filesystem::rename(log, old);
  server_->Signal(SIGHUP);
  for (int i = 0; i < 400 && !std::filesystem::exists(log); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  v1::DeleteImagesRequest remove;
  remove.set_collection("v");
  remove.add_ids("a");
  remove.add_ids("not-there");
  ASSERT_TRUE(admin->DeleteImages(remove).ok());
  ASSERT_TRUE(admin->DeleteCollection("v").ok());
  EXPECT_EQ(server_->Terminate(), 0) << server_->Log();

  const auto lines = lines_of(old);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0]["method"], "CollectionService/CreateCollection");
  EXPECT_EQ(lines[0]["caller"], "admin");
  EXPECT_EQ(lines[1]["method"], "IndexService/Index");
  EXPECT_EQ(lines[1]["collection"], "v");
  EXPECT_EQ(lines[1]["code"], "OK");
  EXPECT_THAT(lines[1]["peer"].get<std::string>(), HasSubstr("127.0.0.1"));
  EXPECT_EQ(lines[1]["items"], 1);
  EXPECT_GE(lines[1]["milliseconds"].get<double>(), 0);
  EXPECT_EQ(lines[2]["caller"], "reader");
  EXPECT_EQ(lines[2]["code"], "PERMISSION_DENIED");
  EXPECT_EQ(lines[2]["reason"], "SCOPE_TOO_SMALL");
  EXPECT_EQ(lines[3]["caller"], "");
  EXPECT_EQ(lines[3]["code"], "UNAUTHENTICATED");
  const auto after = lines_of(log);
  ASSERT_EQ(after.size(), 2u);
  EXPECT_EQ(after[0]["method"], "IndexService/DeleteImages");
  EXPECT_EQ(after[0]["items"], 1) << "of the two that were named";
  EXPECT_EQ(after[1]["method"], "CollectionService/DeleteCollection");
  EXPECT_EQ(after[1]["items"], 0);
  for (const std::string& path : {old, log, folder_.Path("server.log")}) {
    EXPECT_THAT(*base::ReadFile(path, 1 << 20), Not(HasSubstr("-key"))) << path;
  }
}

// From `sightline keys create` to a search, by the programs alone.
TEST_F(KeysTest, TheProgramMakesAKeyAndUsesIt) {
  const auto run = [&](const std::vector<std::string>& words, std::string* out, const std::string& key = "") {
    cli::StringSink output, errors;
    cli::Context context{.out = output,
                         .err = errors,
                         .clock = base::Clock::Real(),
                         .default_address = server_ == nullptr ? "" : server_->address(),
                         .api_key = key};
    const int code = cli::Run(context, words);
    *out = output.text() + errors.text();
    return code;
  };
  std::string out;
  ASSERT_EQ(run({"keys", "create", "--name", "web", "--scope", "read", "--collections", "v,w*", "--json"}, &out), 0)
      << out;
  const auto made = nlohmann::json::parse(out);
  const std::string key = made["key"];
  EXPECT_THAT(key, ::testing::MatchesRegex("sightline_[0-9a-f]+"));
  EXPECT_EQ(key.size(), 10u + 64u);
  ASSERT_EQ(run({"keys", "create", "--name", "web", "--scope", "read", "--json"}, &out), 0);
  EXPECT_NE(nlohmann::json::parse(out)["key"], key);
  EXPECT_EQ(run({"keys", "create", "--scope", "read"}, &out), 64);
  EXPECT_THAT(out, HasSubstr("--name"));
  EXPECT_EQ(run({"keys", "create", "--name", "x", "--scope", "root"}, &out), 64);
  EXPECT_EQ(run({"keys", "create", "--name", "x", "--scope", "read", "--expires", "soon"}, &out), 64);
  EXPECT_EQ(run({"keys", "create", "--name", "x", "--scope", "read", "--expires", "infinite-future"}, &out), 64);
  EXPECT_EQ(run({"keys", "create", "--name", "two\nlines", "--scope", "read"}, &out), 64);
  EXPECT_EQ(run({"keys", "create", "--name", std::string(129, 'x'), "--scope", "read"}, &out), 64);
  EXPECT_EQ(run({"keys", "delete"}, &out), 64);

  ASSERT_NO_FATAL_FAILURE(Start({made["entry"].dump()}));
  EXPECT_EQ(run({"collections"}, &out), 1);
  EXPECT_THAT(out, HasSubstr("--api_key_file"));
  EXPECT_EQ(run({"collections"}, &out, key), 0) << out;
  folder_.Write("web.key", key + "\n");
  EXPECT_EQ(run({"collections", "--api_key_file", folder_.Path("web.key")}, &out), 0) << out;
  EXPECT_EQ(run({"status", "--api_key_file", folder_.Path("web.key")}, &out), 0) << out;
  EXPECT_EQ(run({"collections", "--api_key_file", folder_.Path("none")}, &out), 1);
  folder_.Write("empty.key", "\n");
  EXPECT_EQ(run({"collections", "--api_key_file", folder_.Path("empty.key")}, &out), 64);
  EXPECT_EQ(run({"collections"}, &out, "two\nlines"), 1);
  EXPECT_THAT(out, HasSubstr("no key has"));
}

}  // namespace
}  // namespace sightline::testing
