"""How ``qa/accounts/words/common.txt`` is made: well-known passwords by hand, well-known patterns by rule.

``python -m tests.accounts.common_words`` writes the file; a test compares it with what this makes.
The words are those that anybody in the trade can name; no list of stolen passwords was copied.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

FILE = Path(__file__).parents[2] / "qa" / "accounts" / "words" / "common.txt"

HEADER = """\
# Common passwords, all in lower case: {words} written down by hand, {made} made by rule from the best known
# of them (an ending such as 123, a year or a mark; a word twice; a walk over the keyboard or the digits).
# It stands in for the usual "3000 most common" list and is not a copy of one. passwords.py compares without
# case, without digits and marks at both ends, and with look-alike digits read as letters, so a line here
# refuses many more. A list of breached passwords is not part of the product.
"""

WORDS = """
password passw0rd passwd passwort passord contrasena contraseña motdepasse senha haslo parola parol kennwort
geheim sicherheit wachtwoord welkom welkom01 salasana heslo jelszo sifre lozinka losenord adgangskode
123456 1234567 12345678 123456789 1234567890 12345 1234 123123 123321 654321 987654321 666666 696969 777777
888888 999999 111111 11111111 000000 00000000 121212 131313 112233 11223344 123123123 101010 102030 123654
123qwe 123abc 1q2w3e 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qazxsw2 2wsx3edc q1w2e3r4 q1w2e3r4t5 qazwsx qazwsxedc qweasd
qweasdzxc qwerty qwerty1 qwerty12 qwerty123 qwertyu qwertyui qwertyuiop qwertz qwertzu qwertzuiop azerty
azertyuiop asdf asdfg asdfgh asdfghj asdfghjk asdfghjkl zxcv zxcvb zxcvbn zxcvbnm yxcvbnm poiuytrewq lkjhgfdsa
mnbvcxz abc123 abcd1234 abcde12345 abcdef abcdefg abcdefgh a1b2c3 a1b2c3d4 aa123456 a123456 a123456789
letmein letmeinnow welcome welcome1 welcome123 iloveyou iloveyou1 iloveu loveyou ilovegod lovely lover loverboy
lovergirl loveme lovebug loving sweetheart sweetie sweety honey honeybee darling baby babygirl babyboy
princess prince queen king angel angels angelica babyangel blessed jesus jesuschrist christ godisgood faith
grace heaven hope trust believe bible church lord amen
monkey dragon tiger lion eagle falcon hawk wolf bear panther cheetah leopard jaguar cobra viper python
shark dolphin whale turtle rabbit bunny puppy kitten kitty doggy cat dog horse pony unicorn butterfly
ladybug spider scorpion phoenix raven penguin panda koala elephant giraffe monkeys chicken ducky piggy
sunshine rainbow flower flowers rose roses daisy lily jasmine violet orchid cherry peaches banana apple apples
orange strawberry blueberry cookie cookies chocolate candy cupcake cheese pizza burger bacon butter pepper
ginger cinnamon vanilla coffee whiskey vodka tequila beer
football baseball basketball soccer hockey tennis golf golfer cricket rugby volleyball swimming fishing
hunting skating skateboard snowboard surfing bowling boxing wrestling racing nascar yankees redsox cowboys
steelers packers lakers bulls broncos raiders eagles dolphins patriots giants chargers falcons ravens
liverpool chelsea arsenal manchester manutd mancity everton tottenham celtic rangers barcelona realmadrid
juventus milan internazionale bayern bayernmunchen dortmund schalke ajax feyenoord benfica sporting porto
galatasaray fenerbahce besiktas flamengo corinthians palmeiras boca
superman batman spiderman ironman wolverine hulk captain thor avengers joker robin catwoman xmen marvel
starwars skywalker luke vader darthvader yoda jedi hansolo startrek spock enterprise matrix neo trinity
morpheus gandalf frodo aragorn legolas lotr hobbit harrypotter hogwarts gryffindor dumbledore voldemort
pokemon pikachu charizard naruto sasuke goku dragonball onepiece digimon sailormoon hellokitty mickey minnie
mickeymouse donald donaldduck goofy pluto simba nemo shrek garfield snoopy scooby scoobydoo tweety bugsbunny
minecraft fortnite roblox counterstrike warcraft starcraft diablo zelda mario luigi sonic halo playstation xbox
nintendo gamer gaming pacman tetris
computer internet google facebook youtube twitter instagram snapchat tiktok whatsapp linkedin yahoo hotmail
gmail microsoft windows apple macbook iphone ipad android samsung nokia motorola toshiba dell lenovo oracle
linux ubuntu debian redhat centos solaris unix cisco juniper netgear linksys dlink router wireless wifi
network server database mysql postgres mongodb redis docker kubernetes github gitlab jenkins
admin admin1 admin123 administrator root toor superuser sysadmin sysop system systemadmin manager master
mastermind operator user username guest default test tester testing test123 test1234 testtest demo sample
example temp temporary temppass changeme changeit changethis changenow newpassword newpass mypassword
yourpassword nopassword nopass secret secrets topsecret private access access14 login logon signin signup
security secure confidential unknown anonymous nobody something anything everything nothing whatever
whatever1 who cares dontknow idontknow forgot forgotten remember
hello hello123 hellohello hi hiya goodbye goodmorning goodnight thanks thankyou please sorry yes no maybe
killer hunter ranger soldier warrior knight ninja samurai pirate viking gladiator spartan assassin sniper
commander general major sergeant trooper marine army navy airforce police fireman
shadow ghost phantom devil demon satan hell evil darkness dark midnight moon moonlight star stars starlight
sun sunny sunset sunrise sky ocean river beach island mountain forest desert storm thunder lightning rain snow
snowball snowman winter spring summer summertime autumn fall fire ice water wind earth
monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
september october november december today tomorrow yesterday birthday christmas easter halloween newyear
red blue green yellow black white purple pink silver gold golden diamond crystal ruby emerald sapphire pearl
mustang corvette camaro porsche ferrari lamborghini mercedes bmw audi volkswagen toyota honda nissan mazda
subaru yamaha suzuki kawasaki harley harleydavidson ducati chevy chevrolet dodge jeep ford
london paris berlin madrid rome vienna moscow tokyo newyork boston chicago dallas houston austin denver
phoenix miami orlando atlanta seattle vegas lasvegas losangeles california texas florida hawaii alaska
montana virginia carolina georgia dakota canada toronto montreal america england scotland ireland france
germany deutschland italy italia spain espana portugal brasil mexico argentina colombia india pakistan
bangladesh philippines indonesia malaysia singapore china japan korea australia sydney melbourne africa
nigeria kenya egypt turkey istanbul russia ukraine poland polska hungary romania bulgaria greece
michael jennifer jessica ashley amanda matthew daniel david andrew joshua christopher robert james john
joseph william thomas richard charles george edward henry anthony steven kevin brian jason justin brandon
ryan eric adam alexander alexandra alex nicholas nicole samantha elizabeth stephanie melissa michelle
heather rachel rebecca sarah laura lauren megan kimberly amber crystal danielle brittany tiffany vanessa
victoria natalie katherine catherine christina christine patricia barbara linda susan karen nancy maria
marie anna hannah emily emma olivia sophia isabella madison abigail charlotte chloe lucy ellie molly daisy
bailey maggie buddy max charlie jack oliver harry oscar rocky buster sammy toby lucky shadow bella coco
jordan taylor morgan dakota austin dylan logan hunter tyler cameron connor aaron nathan benjamin samuel
gabriel rafael miguel carlos jose juan luis antonio francisco alejandro diego fernando ricardo eduardo
mohammed muhammad ahmed ali hassan omar fatima aisha ibrahim yusuf mustafa mehmet
peter paul mark martin stefan thorsten andreas markus sabine petra monika claudia julia lena laura lukas
felix jonas niklas sebastian tobias florian dominik pierre nicolas julien camille sophie giovanni marco
francesca giulia alessandro matteo lorenzo ivan dmitri natasha svetlana katarzyna agnieszka
metallica nirvana slipknot linkinpark greenday blink182 eminem rihanna beyonce madonna michaeljackson elvis
beatles ledzeppelin pinkfloyd acdc ironmaiden queen coldplay radiohead onedirection justinbieber taylorswift
music guitar drummer piano violin singer dancer dancing rockstar rocknroll hiphop rapper techno
money dollar cash million millionaire rich business success winner champion legend hero boss gangster
freedom liberty justice peace victory power energy strength courage forever always together friends
friend bestfriend bestfriends family mother father mommy daddy mom dad brother sister grandma grandpa son
daughter wife husband mylove mybaby myfamily mylife life happy happiness smile smiley laugh funny crazy
sexy sexygirl hottie hotgirl cutie cute pretty beautiful gorgeous handsome perfect awesome amazing cool
student teacher school college university science physics chemistry biology history english mathematics
doctor nurse hospital lawyer engineer driver pilot chef
company office work working service services support helpdesk callcenter callcentre contactcenter
contactcentre customer customers customerservice customercare agent agents supervisor teamlead quality
qualityassurance evaluator coach coaching training trainer headset telephone phone telefon
trustno1 ncc1701 thx1138 007007 bond007 jamesbond bond blink zaq12wsx zaq1zaq1 xsw21qaz nimda drowssap
fuckyou fuckme fuckoff fuck shit bitch asshole bastard pussy dick cunt sex sexsex porn
abracadabra hocuspocus opensesame sesame openup letmego correcthorse correcthorsebatterystaple
lorem loremipsum foobar foobarbaz foo bar baz qux hunter2 swordfish joshua zork xyzzy plugh wombat
asdasd asdasdasd qweqwe qweqweqwe zxczxc aaaaaa aaaaaaaa abcabc abc abcd abcde xxxxxx xxxxxxxx zzzzzz
blablabla blahblah blah lalala hahaha hehehe lol lollol rofl yolo swag omgomg
""".split()

BEST_KNOWN = """
password passw0rd passwort qwerty qwertz azerty letmein welcome welkom iloveyou monkey dragon sunshine princess
football baseball superman batman pokemon starwars admin administrator master shadow killer secret changeme
login access trustno1 hello computer internet summer winter spring autumn michael jordan charlie liverpool
chelsea barcelona mustang freedom whatever london berlin company support service quality customer agent
callcenter candor abc123 qwerty123 asdfgh zxcvbn 1q2w3e4r
""".split()

ENDINGS = [
    "1", "12", "123", "1234", "12345", "123456", "123456789", "01", "11", "69", "99", "00", "007", "111", "321",
    "!", "!!", "1!", "123!", "2020", "2021", "2022", "2023", "2024", "2025", "2026",
    "2020!", "2021!", "2022!", "2023!", "2024!", "2025!", "2026!", "@123", "#1",
]  # fmt: skip

WALKS = ("1234567890", "0987654321", "qwertyuiop", "poiuytrewq", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop",
         "abcdefghijklmnopqrstuvwxyz", "zyxwvutsrqponmlkjihgfedcba", "qazwsxedcrfv", "1qaz2wsx3edc4rfv",
         "1q2w3e4r5t6y7u8i")  # fmt: skip


def by_rule() -> set[str]:
    """Return what the rules make."""
    made = {word + ending for word, ending in product(BEST_KNOWN, ENDINGS)}
    made |= {word * 2 for word in BEST_KNOWN} | {word * 3 for word in BEST_KNOWN if len(word) < 7}
    made |= {(walk * 3)[:length] for walk in WALKS for length in range(6, 17)}
    made |= {digit * length for digit in "0123456789" for length in range(6, 17)}
    made |= {(pair * 8)[:length] for pair in ("12", "123", "1234", "10", "69", "abc") for length in (8, 10, 12, 14, 16)}
    return made


def text() -> str:
    """Return the whole file."""
    words = set(WORDS)
    made = by_rule() - words
    lines = sorted(words | made)
    return HEADER.format(words=f"{len(words):,}", made=f"{len(made):,}") + "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
