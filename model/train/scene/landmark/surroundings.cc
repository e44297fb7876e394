#include "model/train/scene/landmark/surroundings.h"

#include <algorithm>
#include <cmath>

namespace sightline::scene::landmark {
namespace {

constexpr double kQuarterTurn = 1.5707963267948966;

template <typename T>
const T& OneOf(const std::vector<T>& many, Random* random) {
  return many[static_cast<size_t>(random->Below(static_cast<int>(many.size())))];
}

float Some(double low, double high, Random* random) { return static_cast<float>(random->Between(low, high)); }

// A large rectangle whose texture repeats every `repeat` units.
Solid Plane(const Pose& pose, float half_x, float half_y, float repeat, const Texture& texture, Random* random) {
  Solid plane;
  plane.pose = pose;
  plane.half = {half_x, half_y, 0};
  plane.texture = &texture;
  plane.u0 = Some(0, 1, random);
  plane.v0 = Some(0, 1, random);
  plane.u1 = plane.u0 + 2 * half_x / repeat;
  plane.v1 = plane.v0 + 2 * half_y / repeat;
  // Another coat of paint in every picture: there are more walls in the world than in the stock.
  const float bright = Some(0.5, 1.5, random);
  plane.tint = {bright * Some(0.75, 1.25, random), bright * Some(0.85, 1.15, random),
                bright * Some(0.75, 1.25, random)};
  return plane;
}

Solid Floor(float y, float half, float repeat, const Texture& texture, Random* random) {
  return Plane(MakePose({0, y, 0}, Some(-0.4, 0.4, random), -kQuarterTurn), half, half, repeat, texture, random);
}

// A model standing on y = `ground`, its middle at x, z.
void Stand(const Model& model, float x, float z, float ground, float scale, double yaw, std::vector<Solid>* solids) {
  Place(model, MakePose({x, ground + scale * model.half.y, z}, yaw), scale, 0, solids);
}

// Things in a row to both sides and behind.
void AddNeighbours(const Model& model, absl::Span<const Model* const> siblings, const std::vector<Model>& others,
                   Random* random, Stage* stage) {
  const float ground = -model.half.y;
  const bool family = !siblings.empty() && random->Chance(0.4);
  const float gap = Some(0.02, 0.35, random);
  for (const float side : {-1.0f, 1.0f}) {
    float x = model.half.x + gap;
    const int count = random->Below(4);
    for (int i = 0; i < count; ++i) {
      const Model& other = family && random->Chance(0.7)
                               ? *siblings[static_cast<size_t>(random->Below(static_cast<int>(siblings.size())))]
                               : OneOf(others, random);
      const bool same = family && other.kind == model.kind;
      const float scale = same ? 1.0f : Some(0.55, 1.15, random) * std::max(model.half.x, model.half.y);
      Stand(other, side * (x + other.half.x * scale), Some(-0.3, 0.05, random), ground, scale,
            same ? random->Between(-0.05, 0.05) : random->Between(-0.5, 0.5), &stage->solids);
      x += 2 * other.half.x * scale + gap;
    }
  }
  const int behind = random->Below(4);
  for (int i = 0; i < behind; ++i) {
    Stand(OneOf(others, random), Some(-1.8, 1.8, random), -model.half.z - Some(1.0, 1.8, random), ground,
          Some(0.6, 1.2, random), random->Between(-1, 1), &stage->solids);
  }
}

void OnShelf(const Model& model, absl::Span<const Model* const> siblings, const Stock& stock, Random* random,
             Stage* stage) {
  const float ground = -model.half.y;
  if (random->Chance(0.5)) {  // a shelf with a back and a price rail
    const float deep = model.half.z + 0.12f;
    const Texture& board = OneOf(stock.boards, random);
    stage->solids.push_back(Floor(ground - 0.001f, 9, Some(1, 3, random), board, random));
    stage->solids.push_back(Plane(MakePose({0, 0, -model.half.z - Some(0.4, 2.2, random)}, 0), 9, 6,
                                  Some(1.5, 4, random), OneOf(stock.walls, random), random));
    Solid rail = Plane(MakePose({0, ground - 0.12f, deep}, 0), 9, 0.12f, Some(0.6, 2, random), board, random);
    stage->solids.push_back(rail);
    if (random->Chance(0.6)) {
      for (int i = -2; i <= 2; ++i) {
        Solid tag =
            Plane(MakePose({1.1f * static_cast<float>(i) + Some(-0.3, 0.3, random), ground - 0.12f, deep + 0.01f}, 0),
                  0.2f, 0.1f, 0.4f, *OneOf(stock.wall, random).textures[0], random);
        tag.u0 = tag.v0 = 0;
        tag.u1 = tag.v1 = 1;
        stage->solids.push_back(tag);
      }
    }
    if (random->Chance(0.6)) {
      const float above = model.half.y + Some(0.15, 0.8, random);
      stage->solids.push_back(
          Plane(MakePose({0, above + 0.1f, deep}, 0), 9, 0.1f, Some(0.6, 2, random), board, random));
      stage->solids.push_back(Plane(MakePose({0, above, 0}, 0, kQuarterTurn), 9, deep, 2, board, random));
    }
  } else {  // a table in a room, or outdoors
    stage->solids.push_back(
        Floor(ground - 0.001f, Some(3, 7, random), Some(1.5, 5, random), OneOf(stock.boards, random), random));
    if (random->Chance(0.8)) {
      stage->solids.push_back(Plane(MakePose({0, 0, -Some(2.5, 9, random)}, random->Between(-0.3, 0.3)), 20, 12,
                                    Some(2, 6, random), OneOf(stock.walls, random), random));
      if (random->Chance(0.6)) {
        Place(OneOf(stock.wall, random), MakePose({Some(-2, 2, random), Some(0, 2, random), -2.45f}, 0),
              Some(0.5, 1.5, random), 0, &stage->solids);
      }
    }
  }
  if (random->Chance(0.8)) AddNeighbours(model, siblings, stock.shelf, random, stage);
}

void OnWall(const Model& model, absl::Span<const Model* const> siblings, const Stock& stock, Random* random,
            Stage* stage) {
  const float behind = -Some(0.01, 0.08, random);
  stage->solids.push_back(
      Plane(MakePose({0, 0, behind}, 0), 14, 9, Some(1.5, 5, random), OneOf(stock.walls, random), random));
  if (random->Chance(0.5))
    stage->solids.push_back(
        Floor(-model.half.y - Some(0.4, 2.0, random), 14, Some(1, 3, random), OneOf(stock.boards, random), random));
  float x = model.half.x;
  const int count = random->Below(4);
  for (int i = 0; i < count; ++i) {
    const Model& other = !siblings.empty() && random->Chance(0.3) ? *siblings[0] : OneOf(stock.wall, random);
    const float scale = Some(0.4, 1.2, random);
    const float side = i % 2 == 0 ? 1.0f : -1.0f;
    if (i == 2) x += 1.6f;
    Place(
        other,
        MakePose({side * (x + Some(0.15, 0.8, random) + scale * other.half.x), Some(-0.4, 0.4, random), behind + 0.01f},
                 0),
        scale, 0, &stage->solids);
  }
  if (random->Chance(0.3))
    Stand(OneOf(stock.shelf, random), Some(-1.5, 1.5, random), Some(0.2, 0.6, random), -model.half.y - 0.6f,
          Some(0.2, 0.5, random), random->Between(-1, 1), &stage->solids);
}

void AddTree(float x, float z, float ground, float tall, const Stock& stock, Random* random, Stage* stage) {
  Solid trunk;
  trunk.kind = Solid::Kind::kFrustum;
  trunk.pose.origin = {x, ground + tall / 2, z};
  trunk.half = {0.06f * tall, tall / 2, 0.035f * tall};
  trunk.texture = &stock.boards[0];
  stage->solids.push_back(trunk);
  const Texture& leaves = OneOf(stock.leaves, random);
  const int crowns = 2 + random->Below(3);
  for (int i = 0; i < crowns; ++i) {
    Solid crown;
    const float size = tall * Some(0.3, 0.55, random);
    crown.pose = MakePose({x + tall * Some(-0.2, 0.2, random), ground + tall * Some(0.8, 1.2, random),
                           z + tall * Some(-0.1, 0.2, random)},
                          random->Between(-0.6, 0.6), 0, random->Between(0, 3));
    crown.half = {size, size, 0};
    crown.texture = &leaves;
    crown.back = true;
    stage->solids.push_back(crown);
  }
}

void InStreet(const Model& model, absl::Span<const Model* const> siblings, const Stock& stock, Random* random,
              Stage* stage) {
  const bool house = model.kind == ModelKind::kFacade || model.kind == ModelKind::kBuilding;
  const float ground = house ? -model.half.y : -model.half.y - Some(0.3, 2.0, random);
  stage->solids.push_back(Floor(ground, 40, Some(2, 5, random), OneOf(stock.grounds, random), random));
  if (!house) {
    if (random->Chance(0.6)) {
      stage->solids.push_back(Plane(MakePose({0, 0, -Some(0.02, 0.1, random)}, 0), 6, 12, Some(1.5, 4, random),
                                    OneOf(stock.walls, random), random));
    } else {
      Solid post;
      post.kind = Solid::Kind::kFrustum;
      post.pose.origin = {0, ground / 2, -0.06f};
      post.half = {0.05f, -ground / 2, 0.05f};
      post.texture = &stock.boards[4];
      stage->solids.push_back(post);
    }
  }
  // The walls behind a front, so that it is a house and no sheet of paper.
  if (model.kind == ModelKind::kFacade) {
    const Texture& wall = OneOf(stock.walls, random);
    for (const float side : {-1.0f, 1.0f}) {
      stage->solids.push_back(
          Plane(MakePose({side * model.half.x, ground + 0.7f * model.half.y, -1}, side * kQuarterTurn), 1,
                0.7f * model.half.y, 1.5f, wall, random));
    }
  }
  for (const float side : {-1.0f, 1.0f}) {
    float x = model.half.x + (house ? Some(0, 0.6, random) : Some(1, 3, random));
    const int count = random->Below(3);
    for (int i = 0; i < count; ++i) {
      const Model& other = !siblings.empty() && random->Chance(0.4)
                               ? *siblings[static_cast<size_t>(random->Below(static_cast<int>(siblings.size())))]
                               : OneOf(stock.street, random);
      const float scale = Some(0.75, 1.35, random);
      Stand(other, side * (x + scale * other.half.x), -Some(0, 0.5, random) - (house ? 0.0f : 2.0f), ground, scale, 0,
            &stage->solids);
      x += 2 * scale * other.half.x + (random->Chance(0.6) ? 0.01f : Some(0, 1.5, random));
    }
  }
  const int trees = random->Below(3);
  for (int i = 0; i < trees; ++i) {
    AddTree(static_cast<float>(random->Sign()) * Some(0.9, 3.5, random), Some(-2.5, 0.9, random), ground,
            Some(0.6, 1.8, random), stock, random, stage);
  }
}

void AddPerson(const Pose& at, float tall, const Stock& stock, Random* random, Stage* stage) {
  const auto add = [&](Solid::Kind kind, const Vec& middle, const Vec& half, const Texture* texture, const Vec& tint) {
    Solid part;
    part.kind = kind;
    part.pose = at;
    part.pose.origin = at.World(middle * tall);
    part.half = half * tall;
    part.texture = texture;
    part.tint = tint;
    stage->solids.push_back(part);
  };
  const Texture* coat = &OneOf(stock.cloths, random);
  const Texture* trousers = &OneOf(stock.cloths, random);
  const float tone = Some(0.25, 1, random);
  const Vec skin = {0.9f * tone, 0.62f * tone, 0.48f * tone};
  const Vec hair = Vec{0.3f, 0.2f, 0.12f} * Some(0.1, 1.5, random);
  const Texture* smooth = &stock.walls[0];
  add(Solid::Kind::kEllipsoid, {0, 0.42f, 0}, {0.065f, 0.085f, 0.075f}, smooth, skin);
  add(Solid::Kind::kEllipsoid, {0, 0.45f, -0.02f}, {0.072f, 0.08f, 0.078f}, smooth, hair);
  add(Solid::Kind::kEllipsoid, {0, 0.16f, 0}, {0.13f, 0.2f, 0.09f}, coat, {1, 1, 1});
  for (const float side : {-1.0f, 1.0f}) {
    add(Solid::Kind::kFrustum, {0.06f * side, -0.25f, 0}, {0.045f, 0.25f, 0.065f}, trousers, {0.5f, 0.5f, 0.5f});
    add(Solid::Kind::kEllipsoid, {0.14f * side, 0.1f, 0.02f}, {0.035f, 0.2f, 0.04f}, coat, {1, 1, 1});
  }
}

Vec Warmth(double warm) { return {static_cast<float>(1 + 0.35 * warm), 1, static_cast<float>(1 - 0.45 * warm)}; }

}  // namespace

void Surround(const Model& model, absl::Span<const Model* const> siblings, const Stock& stock, Random* random,
              Stage* stage) {
  switch (model.habitat) {
    case Habitat::kShelf: OnShelf(model, siblings, stock, random, stage); break;
    case Habitat::kWall: OnWall(model, siblings, stock, random, stage); break;
    case Habitat::kStreet: InStreet(model, siblings, stock, random, stage); break;
  }
}

void AddOccluder(const Model& model, const Stock& stock, double size, Random* random, Stage* stage) {
  const Pose& eye = stage->camera.pose;
  // A point of the object, and one on the way to it.
  const Vec target = {Some(-0.9, 0.9, random) * model.half.x, Some(-0.9, 0.7, random) * model.half.y, model.half.z};
  const float along = Some(0.3, 0.75, random);
  const Vec at = Mix(eye.origin, target, along);
  const auto scale =
      static_cast<float>(size * random->Between(0.25, 0.6)) * along * std::max(model.half.x, model.half.y);
  const double yaw = random->Between(-0.6, 0.6);
  const double kind = random->Uniform();
  if (kind < 0.35) {
    Place(OneOf(stock.shelf, random), MakePose(at, yaw, random->Between(-0.3, 0.3), random->Between(-0.4, 0.4)), scale,
          0, &stage->solids);
  } else if (kind < 0.55) {
    Pose pose = eye;
    pose.origin = at - eye.y * (scale * Some(0.3, 1.2, random));
    AddPerson(pose, 2.6f * scale, stock, random, stage);
  } else if (kind < 0.75) {
    Solid leaves;
    leaves.pose = eye;
    leaves.pose.origin = at;
    leaves.half = {1.4f * scale, 1.4f * scale, 0};
    leaves.texture = &OneOf(stock.leaves, random);
    leaves.back = true;
    stage->solids.push_back(leaves);
  } else if (kind < 0.88) {
    Solid post;
    post.kind = Solid::Kind::kFrustum;
    post.pose = MakePose(at, 0, 0, random->Between(-0.1, 0.1));
    post.half = {0.25f * scale, 6, 0.22f * scale};
    post.texture = &OneOf(stock.boards, random);
    stage->solids.push_back(post);
  } else {
    // A hand, or something as round and near.
    const float tone = Some(0.3, 1, random);
    for (int finger = 0; finger < 4; ++finger) {
      Solid part;
      part.kind = Solid::Kind::kEllipsoid;
      part.pose = MakePose(at + eye.x * (0.2f * scale * static_cast<float>(finger)), yaw, 0, 0.2 * finger);
      part.half = {0.13f * scale, 0.6f * scale, 0.13f * scale};
      part.texture = &stock.walls[0];
      part.tint = {0.9f * tone, 0.62f * tone, 0.5f * tone};
      stage->solids.push_back(part);
    }
  }
}

void LightUp(const Model& model, const Stock& stock, bool night, bool weather, Random* random, Stage* stage) {
  Illumination& light = stage->light;
  const bool indoors = model.habitat != Habitat::kStreet && random->Chance(0.85);
  light.sun_direction = Normal({Some(-1, 1, random), Some(0.25, 1.2, random), Some(0.1, 1.2, random)});
  const double warm = random->Between(-0.3, 0.7);
  const float direct = weather ? Some(0, 0.3, random) : Some(indoors ? 0.3 : 0.7, indoors ? 1.1 : 2.2, random);
  light.sun = Warmth(warm) * direct;
  light.shadow = indoors ? Some(0.3, 0.8, random) : weather ? 0.3f : Some(0.8, 1, random);
  light.sky = Warmth(indoors ? random->Between(-0.2, 0.5) : -0.25) * Some(0.4, 0.75, random);
  light.ground = light.sky * Some(0.35, 0.8, random);
  Backdrop& sky = stage->backdrop;
  const float day = Some(0.75, 1, random);
  sky.zenith = Vec{Some(0.2, 0.55, random), Some(0.45, 0.65, random), Some(0.75, 0.98, random)} * day;
  sky.horizon = random->Chance(0.25) ? Vec{0.98f, Some(0.7, 0.9, random), Some(0.5, 0.8, random)} * day
                                     : Vec{0.85f, 0.9f, 0.95f} * day;
  sky.clouds = &OneOf(stock.clouds, random);
  sky.cloud_share = weather ? 1 : Some(0, 1, random);
  sky.turn = Some(0, 2, random);
  if (weather) {
    const float distance = Length(stage->camera.pose.origin);
    light.haze = Some(0.2, 0.85, random) / distance;
    const float grey = Some(0.3, 0.7, random);
    light.haze_colour = {grey, grey, grey * 1.05f};
    sky.zenith = Mix(sky.zenith, {0.7f, 0.72f, 0.74f}, 0.85f);
    sky.horizon = {0.78f, 0.8f, 0.82f};
  }
  if (night) {
    light.sun = light.sun * 0.03f;
    light.sky = Vec{0.05f, 0.06f, 0.1f} * Some(0.3, 1.5, random);
    light.ground = light.sky * 0.5f;
    light.lamp_at = {Some(-2, 2, random), Some(0.3, 2.5, random), Some(0.6, 2.5, random)};
    light.lamp = Warmth(random->Between(-0.2, 1.0)) * Some(0.8, 2.5, random);
    sky.zenith = {0.03f, 0.04f, 0.09f};
    sky.horizon = {0.12f, 0.1f, 0.14f};
    sky.cloud_share *= 0.1f;
  } else if (random->Chance(0.25)) {
    // A lamp or a window nearby: light that falls off across the object.
    light.lamp_at = {Some(-2, 2, random), Some(-0.5, 2, random), Some(0.5, 2, random)};
    light.lamp = Warmth(random->Between(-0.3, 0.8)) * Some(0.3, 1.2, random);
  }
}

}  // namespace sightline::scene::landmark
