// Several models in one server: loading and unloading them while it serves, SIGHUP, and collections of two spaces.
#include <gmock/gmock.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "tests/e2e/code_tables.h"
#include "tests/e2e/models_fixture.h"

namespace sightline::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ModelsTest : public ModelsFixture {
 protected:
  std::map<std::string, v1::Model> List() {
    std::map<std::string, v1::Model> models;
    const auto listed = client_->ListModels();
    EXPECT_TRUE(listed.ok()) << listed.status();
    for (const v1::Model& model : *listed) models[model.name()] = model;
    return models;
  }
  // Until GetModel tells of a refusal, or of none.
  v1::Model WaitForRefusal(const std::string& name, bool refused) {
    for (int i = 0; i < 2000; ++i) {
      const auto model = client_->GetModel(name);
      EXPECT_TRUE(model.ok()) << model.status();
      if (model->error().empty() != refused) return *model;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "nothing happened";
    return {};
  }
};

TEST_F(ModelsTest, ListsLoadsAndUnloads) {
  Start("a", {"--max_models=2"});
  AddModel("third", 3);
  auto models = List();
  EXPECT_EQ(models.size(), 3u);
  EXPECT_EQ(models["a"].state(), v1::Model::STATE_READY);
  EXPECT_GT(models["a"].load_milliseconds(), 0);
  EXPECT_EQ(models["b"].state(), v1::Model::STATE_AVAILABLE);
  Create("of-a", "");
  EXPECT_EQ(Reason(client_
                       ->CreateCollection([] {
                         v1::CreateCollectionRequest create;
                         create.set_name("of-b");
                         create.set_model("b");
                         return create;
                       }())
                       .status()),
            "MODEL_NOT_LOADED");

  const auto loaded = client_->LoadModel("b");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->state(), v1::Model::STATE_READY);
  EXPECT_EQ(loaded->name(), "b");
  EXPECT_NE(loaded->embedding_space(), models["a"].embedding_space());
  EXPECT_EQ(Reason(client_->LoadModel("third").status()), "TOO_MANY_MODELS");
  const auto info = client_->GetServerInfo();
  EXPECT_EQ(info->models_size(), 2);
  EXPECT_EQ(info->default_model(), "a");
  EXPECT_EQ(info->limits().max_models(), 2);

  // Two spaces side by side: each collection takes its own model's descriptors and no others.
  Create("of-b", "b");
  for (unsigned i = 1; i <= 3; ++i) {
    Write("of-a", absl::StrCat("p", i), i);
    Write("of-b", absl::StrCat("p", i), i);
  }
  ExpectFound("of-a", "p2", 2);
  ExpectFound("of-b", "p3", 3);
  v1::EmbedRequest embed;
  embed.set_model("b");
  embed.set_image(NoisePicture(1));
  const auto embedded = client_->Embed(embed);
  ASSERT_TRUE(embedded.ok()) << embedded.status();
  EXPECT_EQ(embedded->model().model(), "b");
  v1::IndexRequest foreign;
  foreign.set_collection("of-a");
  *foreign.mutable_item()->mutable_global_descriptor() = embedded->global_descriptor();
  EXPECT_EQ(Reason(client_->Index(foreign).status()), "EMBEDDING_SPACE_MISMATCH");
  v1::SearchRequest search;
  search.set_collection("of-a");
  *search.mutable_query()->add_parts()->mutable_global_descriptor() = embedded->global_descriptor();
  EXPECT_EQ(Reason(client_->Search(search).status()), "EMBEDDING_SPACE_MISMATCH");
  search.set_collection("of-b");
  EXPECT_EQ(client_->Search(search)->results(0).id(), "p1");

  // Without its model a collection takes and finds descriptors, and says so of images.
  const auto unloaded = client_->UnloadModel("b");
  ASSERT_TRUE(unloaded.ok()) << unloaded.status();
  EXPECT_THAT(*unloaded, ElementsAre("of-b"));
  EXPECT_EQ(Reason(Find("of-b", 1).status()), "MODEL_NOT_LOADED");
  EXPECT_EQ(Find("of-b", 1).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Reason(client_->Index(NewWrite("of-b", "p4", 4)).status()), "MODEL_NOT_LOADED");
  EXPECT_EQ(client_->Search(search)->results(0).id(), "p1");
  EXPECT_EQ(Reason(client_->UnloadModel("b").status()), "MODEL_NOT_LOADED");
  // The default model too.
  ASSERT_TRUE(client_->UnloadModel("a").ok());
  embed.clear_model();
  EXPECT_EQ(Reason(client_->Embed(embed).status()), "NO_MODEL_LOADED");
  EXPECT_EQ(client_->GetServerInfo()->default_model(), "");
  ASSERT_TRUE(client_->LoadModel("a").ok());
  ExpectFound("of-a", "p2", 2);

  // Another model under the same name is noticed where it matters.
  AddModel("a", 7);
  ASSERT_TRUE(client_->LoadModel("a").ok());
  EXPECT_EQ(Reason(Find("of-a", 1).status()), "MODEL_CHANGED");
  EXPECT_EQ(Reason(client_->Index(NewWrite("of-a", "p5", 5)).status()), "MODEL_CHANGED");
}

TEST_F(ModelsTest, RefusesNamesThatAreNoModels) {
  Start("a");
  const CodeTables tables = ReadCodeTables(SIGHTLINE_PROTO_FOLDER);
  const auto expect = [&](const absl::Status& status, const char* rpc, const std::string& reason) {
    SCOPED_TRACE(absl::StrCat(rpc, " ", reason));
    EXPECT_EQ(Reason(status), reason) << status;
    EXPECT_TRUE(tables.at(rpc).contains(absl::StatusCodeToString(status.code()))) << status;
    EXPECT_TRUE(server_->Running()) << server_->Log();
  };
  std::filesystem::create_directories(folder_.path() + "/outside");
  for (const std::string& name : {std::string("../outside"), std::string("."), std::string("a/../b"), std::string("/a"),
                                  std::string("a b"), std::string(100'000, 'a'), std::string(".a")}) {
    expect(client_->LoadModel(name).status(), "LoadModel", "MODEL_NAME_INVALID");
    expect(client_->GetModel(name).status(), "GetModel", "MODEL_NAME_INVALID");
    expect(client_->UnloadModel(name).status(), "UnloadModel", "MODEL_NAME_INVALID");
  }
  expect(client_->LoadModel("").status(), "LoadModel", "FIELD_MISSING");
  expect(client_->GetModel("").status(), "GetModel", "FIELD_MISSING");
  expect(client_->UnloadModel("").status(), "UnloadModel", "FIELD_MISSING");
  expect(client_->GetModel("nobody").status(), "GetModel", "MODEL_NOT_FOUND");
  expect(client_->UnloadModel("nobody").status(), "UnloadModel", "MODEL_NOT_LOADED");
  EXPECT_EQ(client_->LoadModel("nobody").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(List().size(), 2u);
}

TEST_F(ModelsTest, SearchesGoOnWhileModelsComeAndGo) {
  Start("a");
  Create("of-a", "a");
  Write("of-a", "p1", 1);
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      const auto client = *client::Client::Connect({.address = server_->address()});
      while (!stop) {
        const auto answer =
            client->Search({.collection = "of-a", .query = client::Query::Image(NoisePicture(1)), .top_k = 1});
        EXPECT_TRUE(answer.ok()) << answer.status();
        if (!answer.ok()) return;
        EXPECT_EQ(answer->results(0).id(), "p1");
        ++answered;
      }
    });
  }
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(client_->LoadModel("b").ok());
    ASSERT_TRUE(client_->LoadModel("a").ok()) << "the same content again";
    ASSERT_TRUE(client_->UnloadModel("b").ok());
  }
  while (answered < 20) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ModelsTest, SighupLoadsAgainAndKeepsWhatServes) {
  Start("a,b");
  Create("of-a", "a");
  Write("of-a", "p1", 1);
  const std::string space = List()["a"].embedding_space();
  ASSERT_TRUE(base::WriteFileDurably(models_ + "/a/weights.safetensors", "no weights at all").ok());
  server_->Signal(SIGHUP);
  const v1::Model refused = WaitForRefusal("a", true);
  EXPECT_EQ(refused.state(), v1::Model::STATE_READY);
  EXPECT_EQ(refused.embedding_space(), space);
  EXPECT_THAT(server_->Log(), HasSubstr("model refused"));
  ExpectFound("of-a", "p1", 1);
  // A restart with it is refused in words, not served half.
  std::filesystem::remove(models_ + "/a/weights.safetensors");
  server_->Signal(SIGHUP);
  EXPECT_EQ(WaitForRefusal("a", false).embedding_space(), space);
  ExpectFound("of-a", "p1", 1);
  EXPECT_EQ(List()["b"].state(), v1::Model::STATE_READY);
}

}  // namespace
}  // namespace sightline::testing
