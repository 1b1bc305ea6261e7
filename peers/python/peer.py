"""Python with SQLAlchemy on PyMySQL, as TiDB's sample for it: a mapped class, an engine, a session for each piece of work."""

import json
import os
import random
import sys
import threading
import time
from importlib.metadata import version

from sqlalchemy import URL, BigInteger, String, create_engine, func, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Player(Base):
    __tablename__ = "players"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str] = mapped_column(String(32), unique=True)
    coins: Mapped[int]
    goods: Mapped[int]


def connect(pool):
    url = URL.create(
        "mysql+pymysql",
        username=os.environ["TIDB_USER"],
        password=os.environ["TIDB_PASSWORD"],
        host=os.environ["TIDB_HOST"],
        port=int(os.environ["TIDB_PORT"]),
        database=os.environ["TIDB_DB_NAME"],
    )
    return create_engine(url, pool_size=pool, max_overflow=0, pool_recycle=300)


def create(engine, name, coins, goods):
    with Session(engine) as session:
        player = Player(name=name, coins=coins, goods=goods)
        session.add(player)
        session.flush()
        id = player.id
        session.commit()
        return id


def create_many(engine, rows):
    with Session(engine) as session:
        session.execute(insert(Player), rows)
        session.commit()


def find(engine, id):
    with Session(engine) as session:
        return session.get_one(Player, id)


def find_by_name(engine, name):
    with Session(engine) as session:
        return session.scalars(select(Player).where(Player.name == name)).one()


def trade(engine, buyer_id, seller_id, goods, price):
    with Session(engine) as session:
        buyer = session.get_one(Player, buyer_id, with_for_update=True)
        if buyer.coins < price:
            return False
        seller = session.get_one(Player, seller_id, with_for_update=True)
        if seller.goods < goods:
            return False
        buyer.coins -= price
        buyer.goods += goods
        seller.coins += price
        seller.goods -= goods
        session.commit()
        return True


def run():
    """The reference run of TiDB's tutorials, from logging in to logging out."""
    start = time.perf_counter()
    engine = connect(1)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Player(name="test", coins=1, goods=1))
        session.commit()
        session.scalars(select(Player).where(Player.name == "test")).one()
        for first in range(0, 200, 50):
            rows = [dict(name=f"player_{n}", coins=10_000, goods=100) for n in range(first, first + 50)]
            session.execute(insert(Player), rows)
            session.commit()
        check(session.scalar(select(func.count()).select_from(Player)) == 201, "the count")
        session.scalars(select(Player).order_by(Player.id).limit(3)).all()
    buyer, seller = create(engine, "buyer", 100, 0), create(engine, "seller", 0, 100)
    check(not trade(engine, buyer, seller, 10, 500), "the refused trade")
    check(trade(engine, buyer, seller, 10, 100), "the trade")
    check(find_by_name(engine, "buyer").coins == 0, "the buyer")
    check(find_by_name(engine, "seller").coins == 100, "the seller")
    Base.metadata.drop_all(engine)
    engine.dispose()
    return dict(operations=1, seconds=time.perf_counter() - start)


def check(holds, what):
    if not holds:
        raise RuntimeError(f"{what}: not what is expected")


def at_once(tasks, task):
    """Calls task with each of the numbers from 0, each in a thread of its own, and returns how long all took."""
    start, failures = time.perf_counter(), []

    def caught(number):
        try:
            task(number)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=caught, args=(number,)) for number in range(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return time.perf_counter() - start


def load(engine, rows, batch, seconds, tasks, prefix, **_):
    start, stored, batches = time.perf_counter(), [], iter(range(0, rows, batch))

    def task(_):
        for first in batches:
            if time.perf_counter() - start >= seconds:
                return
            numbers = range(first, min(first + batch, rows))
            create_many(engine, [dict(name=f"{prefix}-{n}", coins=100, goods=100) for n in numbers])
            stored.append(len(numbers))

    elapsed = at_once(tasks, task)
    return dict(operations=sum(stored), seconds=elapsed)


def repeat(engine, do, tasks, seconds, players, prefix, **_):
    """Each task makes one call after the other until the time is over. No two tasks trade with the same players."""
    start, own, latencies = time.perf_counter(), players // tasks, []

    def task(number):
        n = 0
        while n == 0 or time.perf_counter() - start < seconds:
            buyer, seller = (1 + number + nth * tasks for nth in random.sample(range(own), 2))
            begun = time.perf_counter()
            if do == "read":
                find(engine, buyer)
            elif do == "create":
                create(engine, f"{prefix}-{number}-{n}", 100, 100)
            else:
                check(trade(engine, buyer, seller, 1, 1), "the trade")
            latencies.append(time.perf_counter() - begun)
            n += 1

    elapsed = at_once(tasks, task)
    latencies.sort()
    p50, p99 = (round(latencies[int(len(latencies) * q)] * 1e6) for q in (0.5, 0.99))
    return dict(operations=len(latencies), seconds=elapsed, p50_us=p50, p99_us=p99)


def answer(engine, request):
    try:
        match request["do"]:
            case "run":
                return run()
            case "load":
                return load(engine, **request)
            case _:
                return repeat(engine, **request)
    except Exception as error:
        return dict(error=str(error))


def say(reply):
    print(json.dumps(reply), flush=True)


def main():
    engine = connect(int(sys.argv[1]))
    try:
        engine.connect().close()
    except Exception as error:
        say(dict(error=str(error)))
        return 1
    say(dict(ready=f"SQLAlchemy {version('SQLAlchemy')}, PyMySQL {version('PyMySQL')}, Python {sys.version.split()[0]}"))
    for line in sys.stdin:
        say(answer(engine, json.loads(line)))
    engine.dispose()
    return 0


sys.exit(main())
